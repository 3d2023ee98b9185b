/* Lets a program see another CPU: LD_PRELOAD=other_cpu.so OTHER_CPU=haswell|zen2 python …

   Intel CPUs can fault on the CPUID instruction (Linux: arch_prctl(ARCH_SET_CPUID, 0)); the handler
   answers in its place, without AVX-512, AMX and what came later, and for zen2 as an AMD CPU with its
   caches. Libraries then choose the code that they would choose there, at full speed. What it
   cannot show is an instruction that rounds in another way on another CPU, such as RSQRTPS. */
#define _GNU_SOURCE
#include <asm/prctl.h>
#include <cpuid.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>
#include <stdio.h>

static int amd;

static void allow_cpuid(int allowed) { syscall(SYS_arch_prctl, ARCH_SET_CPUID, allowed); }

static void answer(unsigned leaf, unsigned sub, unsigned r[4]) { /* eax, ebx, ecx, edx */
    allow_cpuid(1);
    __cpuid_count(leaf, sub, r[0], r[1], r[2], r[3]);
    allow_cpuid(0);
    if (leaf == 0) {
        r[0] = 0x0d; /* no leaf of AMX and later */
        if (amd) memcpy(&r[1], "Auth", 4), memcpy(&r[3], "enti", 4), memcpy(&r[2], "cAMD", 4);
    } else if (leaf == 1) {
        r[0] = amd ? 0x00830f10 : 0x000306c3; /* EPYC 7002; Haswell */
    } else if (leaf == 4 && amd) {
        memset(r, 0, 16);
    } else if (leaf == 7 && sub == 0) {
        r[0] = 0;                    /* no sub-leaf 1: AVX-VNNI, AVX-512 BF16 */
        r[1] &= ~0xdc230000u;        /* AVX-512 F, DQ, IFMA, PF, ER, CD, BW, VL */
        r[1] &= ~(1u << 28);         /* AVX-512 CD */
        r[2] &= 1u << 2;             /* UMIP alone: no VBMI, VNNI, GFNI, VAES, … */
        r[3] &= 0xfc000000u;         /* speculation control alone */
    } else if (leaf == 7) {
        memset(r, 0, 16);
    } else if (leaf == 0x80000000 && amd) {
        r[0] = 0x80000008;
    } else if (leaf == 0x80000001 && amd) {
        r[2] |= 1u << 5 | 1u << 6;   /* ABM, SSE4a */
    } else if (leaf >= 0x80000002 && leaf <= 0x80000004 && amd) {
        static const char name[48] = "AMD EPYC 7702 64-Core Processor";
        memcpy(r, name + 16 * (leaf - 0x80000002), 16);
    } else if (leaf == 0x80000005 && amd) {
        r[2] = 0x20080140; r[3] = 0x20080140; /* L1: 32 KiB */
    } else if (leaf == 0x80000006 && amd) {
        r[2] = 0x02006140; r[3] = 0x00809140; /* L2: 512 KiB, L3: 16 MiB */
    }
}

static void on_fault(int number, siginfo_t *info, void *context) {
    greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
    const unsigned char *code = (const unsigned char *)regs[REG_RIP];
    (void)info;
    if (code[0] != 0x0f || code[1] != 0xa2) {
        signal(number, SIG_DFL);
        return;
    }
    unsigned r[4];
    answer((unsigned)regs[REG_RAX], (unsigned)regs[REG_RCX], r);
    regs[REG_RAX] = r[0]; regs[REG_RBX] = r[1]; regs[REG_RCX] = r[2]; regs[REG_RDX] = r[3];
    regs[REG_RIP] += 2;
}

__attribute__((constructor(101))) static void start(void) {
    const char *name = getenv("OTHER_CPU");
    if (name == NULL) return;
    amd = strcmp(name, "zen2") == 0;
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};
    sigaction(SIGSEGV, &action, NULL);
    if (syscall(SYS_arch_prctl, ARCH_SET_CPUID, 0) != 0) {
        fputs("other_cpu: this CPU or kernel cannot fault on CPUID\n", stderr);
        _exit(126);
    }
}
