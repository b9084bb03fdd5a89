/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reader of the few ELF tables that decide what happens at dlopen. Everything is copied out of the bytes with checked
 * offsets, so neither alignment nor a lying header matters. Loads nothing, follows no path.
 */
#include "elf_scan.h"

#include <link.h>
#include <string.h>

#include "err.h"
#include "str.h"

#if defined(__x86_64__)
#define OUR_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define OUR_MACHINE EM_AARCH64
#elif defined(__i386__)
#define OUR_MACHINE EM_386
#elif defined(__arm__)
#define OUR_MACHINE EM_ARM
#elif defined(__riscv)
#define OUR_MACHINE EM_RISCV
#elif defined(__powerpc64__)
#define OUR_MACHINE EM_PPC64
#elif defined(__s390x__)
#define OUR_MACHINE EM_S390
#elif defined(__loongarch__)
#define OUR_MACHINE EM_LOONGARCH
#else
#error "name the ELF machine of this architecture here"
#endif

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define OUR_DATA ELFDATA2LSB
#else
#define OUR_DATA ELFDATA2MSB
#endif
#define OUR_CLASS (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32)

#define MAX_PHDRS 128
#define MAX_DYNAMIC 1024
#define MAX_SYMBOLS 1000000u

struct elf {
    const uint8_t *p;
    size_t n;
    ElfW(Ehdr) head;
    size_t dynamic, ndynamic;     /* offset and entries of the dynamic table */
    size_t strtab, strsz, symtab; /* offsets; 0: absent */
    size_t hash, gnu_hash;
    struct tenuo_error *err;
};

/* Copies `size` bytes at `offset`; false when they are not all there. */
static bool get(const struct elf *e, size_t offset, void *ret, size_t size)
{
    if (offset > e->n || size > e->n - offset)
        return false;
    memcpy(ret, e->p + offset, size);
    return true;
}

static bool get_row(const struct elf *e, size_t table, size_t index, void *ret, size_t size)
{
    size_t at;
    return !__builtin_mul_overflow(index, size, &at) && !__builtin_add_overflow(at, table, &at) &&
           get(e, at, ret, size);
}

static int malformed(const struct elf *e)
{
    return tn_fail(e->err, TENUO_E_PLUGIN_LOAD, "damaged ELF file");
}

static int read_head(struct elf *e)
{
    if (!get(e, 0, &e->head, sizeof e->head) || memcmp(e->head.e_ident, ELFMAG, SELFMAG) != 0)
        return tn_fail(e->err, TENUO_E_PLUGIN_LOAD, "not an ELF shared object");
    if (e->head.e_ident[EI_CLASS] != OUR_CLASS || e->head.e_ident[EI_DATA] != OUR_DATA ||
        e->head.e_machine != OUR_MACHINE)
        return tn_fail(e->err, TENUO_E_PLUGIN_LOAD,
                       "built for another machine (ELF class %u, machine %u; needed: %u, %u)",
                       (unsigned)e->head.e_ident[EI_CLASS], (unsigned)e->head.e_machine, (unsigned)OUR_CLASS,
                       (unsigned)OUR_MACHINE);
    if (e->head.e_type != ET_DYN)
        return tn_fail(e->err, TENUO_E_PLUGIN_LOAD, "an ELF file, but not a shared object");
    if (e->head.e_phentsize != sizeof(ElfW(Phdr)) || e->head.e_phnum > MAX_PHDRS)
        return malformed(e);
    return TENUO_OK;
}

/* Offset in the file of a virtual address. */
static bool to_offset(const struct elf *e, ElfW(Addr) address, size_t *ret)
{
    ElfW(Phdr) ph;
    for (size_t i = 0; i < e->head.e_phnum; i++) {
        if (!get_row(e, (size_t)e->head.e_phoff, i, &ph, sizeof ph))
            return false;
        if (ph.p_type != PT_LOAD || address < ph.p_vaddr || address - ph.p_vaddr >= ph.p_filesz)
            continue;
        return !__builtin_add_overflow((size_t)(address - ph.p_vaddr), (size_t)ph.p_offset, ret);
    }
    return false;
}

static int find_dynamic(struct elf *e)
{
    ElfW(Phdr) ph;
    for (size_t i = 0; i < e->head.e_phnum; i++) {
        if (!get_row(e, (size_t)e->head.e_phoff, i, &ph, sizeof ph))
            return malformed(e);
        if (ph.p_type != PT_DYNAMIC)
            continue;
        e->ndynamic = (size_t)ph.p_filesz / sizeof(ElfW(Dyn));
        /* The linker reads it where it is mapped, which a damaged file may place elsewhere than p_offset says. */
        if (!to_offset(e, ph.p_vaddr, &e->dynamic) || e->ndynamic > MAX_DYNAMIC)
            return malformed(e);
        return TENUO_OK;
    }
    return tn_fail(e->err, TENUO_E_PLUGIN_LOAD, "an ELF file without a dynamic table");
}

/* Next entry of the dynamic table; false at its end or past the file. */
static bool next_dynamic(const struct elf *e, size_t *index, ElfW(Dyn) * ret)
{
    if (*index >= e->ndynamic || !get_row(e, e->dynamic, *index, ret, sizeof *ret))
        return false;
    (*index)++;
    return ret->d_tag != DT_NULL;
}

static int locate(struct elf *e, const ElfW(Dyn) * dyn)
{
    size_t *where = NULL;
    if (dyn->d_tag == DT_STRTAB)
        where = &e->strtab;
    else if (dyn->d_tag == DT_SYMTAB)
        where = &e->symtab;
    else if (dyn->d_tag == DT_HASH)
        where = &e->hash;
    else if (dyn->d_tag == DT_GNU_HASH)
        where = &e->gnu_hash;
    else if (dyn->d_tag == DT_STRSZ)
        e->strsz = (size_t)dyn->d_un.d_val;
    if (where != NULL && !to_offset(e, dyn->d_un.d_ptr, where))
        return malformed(e);
    return TENUO_OK;
}

static int read_tables(struct elf *e)
{
    ElfW(Dyn) dyn;
    for (size_t i = 0; next_dynamic(e, &i, &dyn);) {
        int r = locate(e, &dyn);
        if (r != TENUO_OK)
            return r;
    }
    if (e->strtab == 0 || e->symtab == 0 || e->strtab > e->n || e->strsz > e->n - e->strtab)
        return malformed(e);
    return TENUO_OK;
}

/* A string of the string table, NULL when it does not end within. */
static const char *text_at(const struct elf *e, size_t index)
{
    if (index >= e->strsz || memchr(e->p + e->strtab + index, '\0', e->strsz - index) == NULL)
        return NULL;
    return (const char *)(e->p + e->strtab + index);
}

static int report_refs(const struct elf *e, tn_elf_ref_fn *ref, void *arg)
{
    ElfW(Dyn) dyn;
    for (size_t i = 0; next_dynamic(e, &i, &dyn);) {
        bool path = dyn.d_tag == DT_RPATH || dyn.d_tag == DT_RUNPATH;
        bool object = dyn.d_tag == DT_NEEDED || dyn.d_tag == DT_FILTER || dyn.d_tag == DT_AUXILIARY;
        if (!path && !object)
            continue;
        const char *text = text_at(e, (size_t)dyn.d_un.d_val);
        int r = text == NULL ? malformed(e) : ref(arg, path ? TN_ELF_RPATH : TN_ELF_NEEDED, text, e->err);
        if (r != TENUO_OK)
            return r;
    }
    return TENUO_OK;
}

/* The GNU table has no symbol count: it is where the chain of the highest bucket ends. */
static uint32_t count_gnu(const struct elf *e)
{
    uint32_t head[4], highest = 0, bucket, entry = 0;
    if (!get(e, e->gnu_hash, head, sizeof head))
        return 0;
    size_t buckets = e->gnu_hash + sizeof head + (size_t)head[2] * sizeof(ElfW(Addr));
    if (head[0] > MAX_SYMBOLS || head[2] > MAX_SYMBOLS)
        return 0;
    for (uint32_t i = 0; i < head[0]; i++) {
        if (!get_row(e, buckets, i, &bucket, sizeof bucket))
            return 0;
        highest = bucket > highest ? bucket : highest;
    }
    if (highest < head[1])
        return 0;
    size_t chains = buckets + (size_t)head[0] * sizeof bucket;
    for (; highest < MAX_SYMBOLS && (entry & 1) == 0; highest++)
        if (!get_row(e, chains, highest - head[1], &entry, sizeof entry))
            return 0;
    return highest;
}

static uint32_t count_symbols(const struct elf *e)
{
    uint32_t head[2];
    if (e->gnu_hash != 0)
        return count_gnu(e);
    if (e->hash == 0 || !get(e, e->hash, head, sizeof head))
        return 0;
    return head[1] < MAX_SYMBOLS ? head[1] : 0;
}

static bool defines(const ElfW(Sym) * sym)
{
    unsigned binding = sym->st_info >> 4, type = sym->st_info & 15u;
    return sym->st_shndx != SHN_UNDEF && (binding == STB_GLOBAL || binding == STB_WEAK) && type == STT_OBJECT;
}

static int find_symbol(const struct elf *e, const char *symbol, size_t *ret_size)
{
    ElfW(Sym) sym;
    uint32_t count = count_symbols(e);
    for (uint32_t i = 0; i < count && get_row(e, e->symtab, i, &sym, sizeof sym); i++) {
        const char *name = text_at(e, sym.st_name);
        if (name == NULL || !defines(&sym) || strcmp(name, symbol) != 0)
            continue;
        *ret_size = (size_t)sym.st_size;
        return TENUO_OK;
    }
    return tn_fail(e->err, TENUO_E_PLUGIN_LOAD, "not a tenuo plugin: it does not export the object '%s'", symbol);
}

int tn_elf_scan(const uint8_t *bytes, size_t len, const char *symbol, tn_elf_ref_fn *ref, void *arg, size_t *ret_size,
                struct tenuo_error *err)
{
    struct elf e = { .p = bytes, .n = len, .err = err };
    int r = read_head(&e);
    if (r == TENUO_OK)
        r = find_dynamic(&e);
    if (r == TENUO_OK)
        r = read_tables(&e);
    if (r == TENUO_OK)
        r = report_refs(&e, ref, arg);
    return r == TENUO_OK ? find_symbol(&e, symbol, ret_size) : r;
}
