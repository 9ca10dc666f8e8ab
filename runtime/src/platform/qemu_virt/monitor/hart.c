/* From the first C instruction of a hart to the end of the machine; the barrier. */
#include "aretusa/generate.h"
#include "memory_map.h"
#include "virt.h"

#define MIE_SOFTWARE 8u

static volatile uint32_t core_count;
static volatile uint32_t arrived[ART_CORES_MAX];
static volatile uint32_t released;

_Static_assert(ART_CORES_MAX == ART_STACK_COUNT, "one stack per core");

/* In user mode an enabled interrupt would be taken, so event lines end a sleep only in here. */
static void listen(void)
{
    __asm__ volatile("csrw mie, %0" ::"r"(MIE_SOFTWARE));
}

static void stop_listening(void)
{
    __asm__ volatile("csrw mie, zero");
}

/* As the request says; one core is enough to report that the request is impossible. */
static uint32_t cores_of_request(void)
{
    const struct art_request *request = (const void *)(uintptr_t)ART_REQUEST_RAM;
    const bool is_sound = request->magic == ART_REQUEST_MAGIC && request->cores >= 1 &&
                          request->cores <= ART_CORES_MAX;

    return is_sound ? request->cores : 1;
}

static void start_team(void)
{
    const uint32_t cores = cores_of_request();

    monitor_build_spaces(cores);
    core_count = cores;
    monitor_fence();
    for (uint32_t hart = 1; hart < cores; hart++) {
        *monitor_event(hart) = 1;
    }
}

static _Noreturn void park(void)
{
    stop_listening();
    while (true) {
        monitor_sleep();
    }
}

/* Sleep until another hart sets the event line. */
static void await_start(uint32_t hart)
{
    listen();
    while (*monitor_event(hart) == 0) {
        monitor_sleep();
    }
    *monitor_event(hart) = 0;
    stop_listening();
    monitor_fence();
}

_Noreturn void monitor_main(uint32_t hart)
{
    if (hart == 0) {
        start_team();
    } else {
        await_start(hart);
    }

    const struct monitor_region stack = monitor_stack(hart);

    monitor_enter_program(hart, core_count, stack.base + stack.bytes, monitor_space(hart));
}

static bool have_all_arrived(uint32_t round)
{
    for (uint32_t core = 1; core < core_count; core++) {
        if (arrived[core] != round) {
            return false;
        }
    }
    return true;
}

/* Clearing the event line before looking loses no event: one that comes after the look ends the
 * sleep at once. */
static void gather_and_release(uint32_t round)
{
    *monitor_event(0) = 0;
    monitor_fence();
    while (!have_all_arrived(round)) {
        monitor_sleep();
        *monitor_event(0) = 0;
        monitor_fence();
    }
    monitor_fence();
    released = round;
    monitor_fence();
    for (uint32_t core = 1; core < core_count; core++) {
        *monitor_event(core) = 1;
    }
}

static void await_release(uint32_t core, uint32_t round)
{
    *monitor_event(0) = 1;
    while (released != round) {
        monitor_sleep();
        *monitor_event(core) = 0;
        monitor_fence();
    }
    monitor_fence();
}

void monitor_barrier(void)
{
    const uint32_t core = monitor_hart();
    const uint32_t round = arrived[core] + 1;

    listen();
    monitor_fence();
    arrived[core] = round;
    monitor_fence();
    if (core == 0) {
        gather_and_release(round);
    } else {
        await_release(core, round);
    }
    stop_listening();
}

_Noreturn void monitor_end(enum art_exit code)
{
    volatile uint32_t *finisher = (volatile uint32_t *)(uintptr_t)VIRT_FINISHER_BASE;

    monitor_record_close();
    monitor_console_drain();
    *finisher = code == ART_EXIT_OK ? 0x5555u : (uint32_t)code << 16 | 0x3333u;
    park();
}

_Noreturn void monitor_finish(enum art_exit code)
{
    if (monitor_hart() == 0) {
        monitor_end(code);
    }
    park();
}
