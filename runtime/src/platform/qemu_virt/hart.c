/* From the first C instruction of a hart to the end of the machine; the barrier. */
#include "aretusa/generate.h"
#include "memory_map.h"
#include "virt.h"

#define MIE_SOFTWARE 8u

extern uint32_t art_bss_start[];
extern uint32_t art_bss_end[];

static volatile uint32_t core_count;
static volatile uint32_t arrived[ART_CORES_MAX];
static volatile uint32_t released;

_Static_assert(ART_CORES_MAX == ART_STACK_COUNT, "one stack per core");

uint32_t virt_stack_base(uint32_t hart)
{
    return ART_STACK_BASE + hart * ART_STACK_BYTES;
}

static void clear_bss(void)
{
    for (uint32_t *word = art_bss_start; word < art_bss_end; word++) {
        *word = 0;
    }
}

/* As the request says; one core is enough to report that the request is impossible. */
static uint32_t cores_of_request(void)
{
    uint32_t bytes = 0;
    const struct art_request *request = art_platform_request(&bytes);
    const bool is_sound = request->magic == ART_REQUEST_MAGIC && request->cores >= 1 &&
                          request->cores <= ART_CORES_MAX;

    return is_sound ? request->cores : 1;
}

static void start_team(void)
{
    clear_bss();
    core_count = cores_of_request();
    virt_fence();
    for (uint32_t hart = 1; hart < core_count; hart++) {
        *virt_event(hart) = 1;
    }
}

static _Noreturn void park(void)
{
    __asm__ volatile("csrw mie, zero");
    while (true) {
        virt_wait_for_event();
    }
}

/* Sleep until another hart sets the event line. */
static void await_start(uint32_t hart)
{
    while (*virt_event(hart) == 0) {
        virt_wait_for_event();
    }
    *virt_event(hart) = 0;
    virt_fence();
}

_Noreturn void virt_hart_main(uint32_t hart)
{
    __asm__ volatile("csrw mie, %0" ::"r"(MIE_SOFTWARE));
    virt_guard_install(hart);
    if (hart == 0) {
        start_team();
    } else {
        await_start(hart);
    }

    const struct art_team team = {.core = hart, .cores = core_count};
    const enum art_exit code = art_program(&team);

    if (hart == 0) {
        art_platform_exit(code);
    }
    park();
}

static bool have_all_arrived(const struct art_team *team, uint32_t round)
{
    for (uint32_t core = 1; core < team->cores; core++) {
        if (arrived[core] != round) {
            return false;
        }
    }
    return true;
}

/* Clearing the event line before looking loses no event: one that comes after the look ends the
 * sleep at once. */
static void gather_and_release(const struct art_team *team, uint32_t round)
{
    *virt_event(0) = 0;
    virt_fence();
    while (!have_all_arrived(team, round)) {
        virt_wait_for_event();
        *virt_event(0) = 0;
        virt_fence();
    }
    virt_fence();
    released = round;
    virt_fence();
    for (uint32_t core = 1; core < team->cores; core++) {
        *virt_event(core) = 1;
    }
}

void art_platform_barrier(const struct art_team *team)
{
    const uint32_t core = team->core;
    const uint32_t round = arrived[core] + 1;

    virt_fence();
    arrived[core] = round;
    virt_fence();
    if (core == 0) {
        gather_and_release(team, round);
        return;
    }
    *virt_event(0) = 1;
    while (released != round) {
        virt_wait_for_event();
        *virt_event(core) = 0;
        virt_fence();
    }
    virt_fence();
}

uint64_t art_platform_instructions(void)
{
    uint32_t high = 0;
    uint32_t low = 0;
    uint32_t again = 0;

    do {
        __asm__ volatile("csrr %0, minstreth" : "=r"(high));
        __asm__ volatile("csrr %0, minstret" : "=r"(low));
        __asm__ volatile("csrr %0, minstreth" : "=r"(again));
    } while (high != again);
    return (uint64_t)high << 32 | low;
}

_Noreturn void art_platform_exit(enum art_exit code)
{
    volatile uint32_t *finisher = (volatile uint32_t *)(uintptr_t)VIRT_FINISHER_BASE;

    virt_record_close();
    virt_console_drain();
    *finisher = code == ART_EXIT_OK ? 0x5555u : (uint32_t)code << 16 | 0x3333u;
    park();
}
