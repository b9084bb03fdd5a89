/* SPDX-License-Identifier: Apache-2.0 */
/* The only C++ of the project: what a C caller needs of RE2. Must let no exception out. */
#include "re2.h"

#include <cstdio>
#include <new>
#include <re2/re2.h>

struct tn_re2 {
    RE2 re;
    tn_re2(const re2::StringPiece &pattern, const RE2::Options &options) : re(pattern, options)
    {
    }
};

extern "C" tn_re2_result tn_re2_compile(const char *pattern, size_t len, int64_t max_mem, tn_re2 **ret, char *why,
                                        size_t size)
{
    tn_re2 *made = nullptr;
    try {
        RE2::Options options(RE2::Quiet);
        options.set_max_mem(max_mem);
        options.set_never_capture(true);
        made = new tn_re2(re2::StringPiece(pattern, len), options);
        if (made->re.ok()) {
            *ret = made;
            return TN_RE2_YES;
        }
        bool large = made->re.error_code() == RE2::ErrorPatternTooLarge;
        (void)std::snprintf(why, size, "%s", large ? "" : made->re.error().c_str());
        delete made;
        return TN_RE2_REFUSED;
    } catch (...) {
        delete made;
        return TN_RE2_NOMEM;
    }
}

extern "C" tn_re2_result tn_re2_search(const tn_re2 *re, const char *text, size_t len)
{
    try {
        return re->re.Match(re2::StringPiece(text, len), 0, len, RE2::UNANCHORED, nullptr, 0) ? TN_RE2_YES : TN_RE2_NO;
    } catch (...) {
        return TN_RE2_NOMEM;
    }
}

extern "C" size_t tn_re2_size(const tn_re2 *re)
{
    int n = re->re.ProgramSize();
    return n < 0 ? 0 : static_cast<size_t>(n);
}

extern "C" void tn_re2_free(tn_re2 *re)
{
    delete re;
}
