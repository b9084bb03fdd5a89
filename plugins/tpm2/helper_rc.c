/* SPDX-License-Identifier: Apache-2.0 */
/* What a TPM's refusal means for a key, in one sentence with its remedy. The only place that knows response codes. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <tss2/tss2_rc.h>
#include <unistd.h>

#include "helper.h"
#include <tenuo/plugin.h>

void tpm_say(struct tpm *t, int code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(t->talk->why, sizeof t->talk->why, fmt, ap);
    va_end(ap);
    t->talk->code = code;
    t->rc = 0;
}

/* A code of the TPM without the number of the parameter, handle or session that it complains about. */
static TSS2_RC plain(TSS2_RC rc)
{
    TSS2_RC layer = rc & TSS2_RC_LAYER_MASK;
    if (layer != TSS2_TPM_RC_LAYER && layer != TSS2_RESMGR_TPM_RC_LAYER)
        return rc;
    rc &= ~TSS2_RC_LAYER_MASK;
    return (rc & TPM2_RC_FMT1) != 0 ? rc & (TPM2_RC_FMT1 | 0x3f) : rc & 0xfff;
}

bool tpm_is_busy(TSS2_RC rc)
{
    rc = plain(rc);
    return rc == TPM2_RC_RETRY || rc == TPM2_RC_YIELDED || rc == TPM2_RC_TESTING || rc == TPM2_RC_NV_RATE;
}

bool tpm_is_full(TSS2_RC rc)
{
    static const TSS2_RC full[] = { TPM2_RC_OBJECT_MEMORY,  TPM2_RC_SESSION_MEMORY,  TPM2_RC_MEMORY,
                                    TPM2_RC_OBJECT_HANDLES, TPM2_RC_SESSION_HANDLES, TPM2_RC_CONTEXT_GAP };
    for (size_t i = 0; i < sizeof full / sizeof full[0]; i++)
        if (full[i] == plain(rc))
            return true;
    return false;
}

static bool at(const struct tpm *t, const char *step)
{
    return strcmp(t->step, step) == 0;
}

/* Is this about the parent, and not about the key? */
static bool at_parent(const struct tpm *t)
{
    return at(t, "ReadPublic") || at(t, "CreatePrimary") || at(t, "Load") || at(t, "Create");
}

static void say_changed(struct tpm *t)
{
    if (t->pcrs[0] == '\0')
        tpm_say(t, TENUO_E_KEY_DENIED, "the TPM finds its policy not fulfilled: look at what the key was made with");
    else
        tpm_say(
            t, TENUO_E_KEY_DENIED,
            "PCR %s are not what they were when the key was sealed: firmware, boot loader or kernel changed; if that "
            "is right, make a new key (tenuo key rotate) or import the old one again",
            t->pcrs);
}

static void say_wrong_auth(struct tpm *t)
{
    if (at_parent(t))
        tpm_say(t, TENUO_E_KEY_DENIED,
                "wrong authorization value for the parent 0x%08x: put the right one into parent_auth_file",
                (unsigned)t->parent_handle);
    else
        tpm_say(
            t, TENUO_E_KEY_DENIED,
            "wrong authorization value: put the right one into auth_file; each try counts towards the TPM's lockout");
}

/* Codes that mean the same wherever they come from. */
static bool explain_state(struct tpm *t, TSS2_RC rc)
{
    static const struct {
        TSS2_RC rc;
        int code;
        const char *why;
    } states[] = {
        { TPM2_RC_LOCKOUT, TENUO_E_KEY_DENIED,
          "the TPM is locked out after wrong authorization values: wait for its recovery time, or clear it with "
          "tpm2_dictionarylockout --clear-lockout" },
        { TPM2_RC_INITIALIZE, TENUO_E_UNAVAILABLE, "the TPM was not started (TPM2_Startup): that is the firmware's" },
        { TPM2_RC_FAILURE, TENUO_E_UNAVAILABLE, "the TPM is in failure mode: switch the machine off and on" },
        { TPM2_RC_NV_UNAVAILABLE, TENUO_E_UNAVAILABLE, "the TPM cannot write its memory now: try again later" },
        { TPM2_RC_DISABLED, TENUO_E_UNAVAILABLE, "the TPM is switched off in the firmware: switch it on there" },
        { TPM2_RC_HIERARCHY, TENUO_E_UNAVAILABLE,
          "the hierarchy of the parent is switched off: look at the firmware's TPM settings" },
    };
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++)
        if (states[i].rc == rc) {
            tpm_say(t, states[i].code, "%s", states[i].why);
            return true;
        }
    if (tpm_is_full(rc)) {
        tpm_say(t, TENUO_E_UNAVAILABLE,
                "the TPM has no room, others fill it: use the kernel's resource manager, tcti=device:/dev/tpmrm0, or "
                "flush what was left (tpm2_flushcontext -t)");
        return true;
    }
    if (!tpm_is_busy(rc))
        return false;
    tpm_say(t, TENUO_E_UNAVAILABLE,
            "the TPM was busy until the deadline: try again, or give the line a longer timeout=");
    return true;
}

static bool explain_access(struct tpm *t, TSS2_RC rc)
{
    if (rc == TPM2_RC_AUTH_FAIL || rc == TPM2_RC_BAD_AUTH)
        say_wrong_auth(t);
    else if (rc == TPM2_RC_POLICY_FAIL || rc == TPM2_RC_PCR_CHANGED || rc == TPM2_RC_PCR ||
             (rc == TPM2_RC_VALUE && at(t, "PolicyPCR")))
        say_changed(t);
    else if (rc == TPM2_RC_AUTH_UNAVAILABLE || rc == TPM2_RC_AUTH_TYPE)
        tpm_say(t, TENUO_E_KEY_DENIED,
                "the key can be used by a policy alone, which its file does not state: give the "
                "line the pcrs= that it was sealed with");
    else
        return false;
    return true;
}

static bool explain_blob(struct tpm *t, TSS2_RC rc)
{
    bool fmt1 = (rc & TPM2_RC_FMT1) != 0 && (rc & TSS2_RC_LAYER_MASK) == 0;
    if (at(t, "ReadPublic") && fmt1)
        tpm_say(t, TENUO_E_UNAVAILABLE,
                "there is no key at the parent's handle 0x%08x: make it persistent again (tpm2_evictcontrol)",
                (unsigned)t->parent_handle);
    else if (rc == TPM2_RC_INTEGRITY || (fmt1 && at(t, "Load")))
        tpm_say(t, TENUO_E_KEY_INVALID,
                "was sealed by another TPM or under another parent, or the TPM was cleared "
                "since, or the file is damaged: import the key again, or make a new one");
    else if (fmt1 && at(t, "Unseal"))
        tpm_say(t, TENUO_E_KEY_INVALID, "is no sealed data for the TPM: make the key anew");
    else if (fmt1 && (at(t, "StartAuthSession") || at(t, "Create")))
        tpm_say(t, TENUO_E_UNAVAILABLE,
                "the parent 0x%08x is no storage key: name another one with parent=", (unsigned)t->parent_handle);
    else
        return false;
    return true;
}

void tpm_explain(struct tpm *t)
{
    TSS2_RC rc = plain(t->rc), whole = t->rc;
    if (explain_state(t, rc) || explain_access(t, rc) || explain_blob(t, rc))
        return;
    if ((whole & TSS2_RC_LAYER_MASK) == TSS2_TCTI_RC_LAYER)
        tpm_say(t, TENUO_E_UNAVAILABLE, "the TPM (%s) went away during the call: try again", t->talk->tcti);
    else if (whole == TSS2_ESYS_RC_RSP_AUTH_FAILED)
        tpm_say(t, TENUO_E_UNAVAILABLE,
                "the TPM's answer to %s was changed on its way: somebody sits on the bus, or the "
                "TPM is faulty",
                t->step);
    else if ((whole & TSS2_RC_LAYER_MASK) != TSS2_TPM_RC_LAYER)
        tpm_say(t, TENUO_E_UNAVAILABLE, "the TPM's answer to %s makes no sense: %s (0x%08x)", t->step,
                Tss2_RC_Decode(whole), (unsigned)whole);
    else
        tpm_say(t, TENUO_E_UNAVAILABLE, "the TPM refuses %s: %s (0x%08x)", t->step, Tss2_RC_Decode(whole),
                (unsigned)whole);
}

/* A device tells more about itself than the library does. */
void tpm_explain_tcti(struct tpm *t, TSS2_RC rc)
{
    const char *device = strncmp(t->talk->tcti, "device:", 7) == 0 ? t->talk->tcti + 7 : NULL;
    if (strcmp(t->talk->tcti, "device") == 0)
        device = "/dev/tpmrm0";
    if (device != NULL && access(device, R_OK | W_OK) != 0) {
        if (errno == EACCES || errno == EPERM || errno == EROFS)
            tpm_say(t, TENUO_E_KEY_DENIED, "uid %u may not use %s: add the user to the group of the device (often tss)",
                    (unsigned)geteuid(), device);
        else
            tpm_say(t, TENUO_E_UNAVAILABLE, "%s: %s: switch the TPM on in the firmware, and look at the kernel's log",
                    device, strerror(errno));
        return;
    }
    if ((rc & ~TSS2_RC_LAYER_MASK) == TSS2_BASE_RC_NOT_SUPPORTED ||
        (rc & ~TSS2_RC_LAYER_MASK) == TSS2_BASE_RC_BAD_REFERENCE)
        tpm_say(t, TENUO_E_UNAVAILABLE, "there is no driver for the TPM (%s): install libtss2-tcti-%.*s", t->talk->tcti,
                (int)strcspn(t->talk->tcti, ":"), t->talk->tcti);
    else
        tpm_say(t, TENUO_E_UNAVAILABLE, "the TPM (%s) cannot be reached: %s (0x%08x)", t->talk->tcti,
                Tss2_RC_Decode(rc), (unsigned)rc);
}
