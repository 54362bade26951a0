#include "os/sandbox_int.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

/* A filter cannot print. In the log_only mode it raises SIGSYS instead; the handler prints the call
 * and makes it by the one instruction below, which the filter knows by its address and lets
 * through. For finding out what a table lacks, never for production: it walls nothing off. */

/* Process-wide because a signal handler has no argument: set before the handler is installed, never
 * changed. */
static const char *the_role = "?";

#if defined(__x86_64__)
extern const char trace_gate_end[];
long trace_gate(long nr, long a, long b, long c, long d, long e, long f);
__asm__(".pushsection .text\n"
        ".globl trace_gate\n"
        ".type trace_gate, @function\n"
        "trace_gate:\n"
        "    mov %rdi, %rax\n"
        "    mov %rsi, %rdi\n"
        "    mov %rdx, %rsi\n"
        "    mov %rcx, %rdx\n"
        "    mov %r8, %r10\n"
        "    mov %r9, %r8\n"
        "    mov 8(%rsp), %r9\n"
        "    syscall\n"
        ".globl trace_gate_end\n"
        "trace_gate_end:\n"
        "    ret\n"
        ".size trace_gate, . - trace_gate\n"
        ".popsection\n");
/* The address a filter sees is that of the instruction after the call. */
static uint64_t gate_address(void)
{
    return (uint64_t)(uintptr_t)trace_gate_end;
}

static void pass_on(ucontext_t *u)
{
    greg_t *r = u->uc_mcontext.gregs;
    r[REG_RAX] = trace_gate(r[REG_RAX], r[REG_RDI], r[REG_RSI], r[REG_RDX], r[REG_R10], r[REG_R8],
                            r[REG_R9]);
}
#else
static uint64_t gate_address(void)
{
    return 0;
}

/* Elsewhere the call is printed and fails. */
static void pass_on(ucontext_t *u)
{
#if defined(__aarch64__)
    u->uc_mcontext.regs[0] = (unsigned long long)-ENOSYS;
#else
    (void)u;
#endif
}
#endif

static void on_sigsys(int signo, siginfo_t *info, void *context)
{
    int saved = errno;
    char line[128];
    (void)signo;
    /* Not async-signal-safe, and good enough for the moment of a call we made ourselves. */
    char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, info->si_syscall);
    int n = snprintf(line, sizeof line, "sandbox: %s: %s (%d)\n", the_role, name ? name : "?",
                     info->si_syscall);
    free(name);
    (void)!write(STDERR_FILENO, line, (size_t)n);
    errno = saved;
    pass_on(context);
}

bool trace_install(const char *role, struct err *err)
{
    struct sigaction sa = {.sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO | SA_NODEFER};
    the_role = role;
    if (sigaction(SIGSYS, &sa, NULL) != 0)
        return err_system(err, "cannot trace system calls");
    return true;
}

void trace_exempt(struct filter *f)
{
    uint64_t gate = gate_address();
    uint32_t ip = offsetof(struct seccomp_data, instruction_pointer);
    const struct sock_filter head[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ip),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)gate, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ip + 4),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(gate >> 32), 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0x7fff0000U), /* SECCOMP_RET_ALLOW */
    };
    size_t n = sizeof head / sizeof head[0];
    struct sock_filter *prog = malloc((n + f->n) * sizeof *prog);
    if (!prog)
        abort();
    memcpy(prog, head, sizeof head);
    memcpy(prog + n, f->prog, f->n * sizeof *prog);
    free(f->prog);
    f->prog = prog;
    f->n = (unsigned short)(f->n + n);
}
