/* Addresses of memories and registers that the drivers use, and fields of registers.
 *
 * Sources: gvsoc/gvsoc-pulp pulp/chips/siracusa; siracusa-soc/pulp-sdk branch meta_neureka,
 * rtos/pulpos/pulp_archi/include/archi; pulp-platform/pulp-nnx neureka. */
#ifndef ARETUSA_SIRACUSA_REGISTERS_H
#define ARETUSA_SIRACUSA_REGISTERS_H

#define L1_BASE 0x10000000u
#define L1_END 0x10040000u
#define L2_BASE 0x1C000000u
#define L2_END 0x1C200000u

/* Cluster control: who wins the banks of L1, and how long the loser waits at most. */
#define CLUSTER_SHARED_MEMORY 0x10200018u
#define CLUSTER_ENGINE_FIRST 0x100u
#define CLUSTER_ENGINE_CLOCK 0x800u
#define CLUSTER_STALL_CYCLES 8u

/* Event unit: what a core sees of its own lines, and lines that software pulls for other cores. */
#define EVENTS_BASE 0x10204000u
#define EVENTS_MASK_CLEAR (EVENTS_BASE + 0x04u)
#define EVENTS_MASK_SET (EVENTS_BASE + 0x08u)
#define EVENTS_WAIT_AND_CLEAR (EVENTS_BASE + 0x3Cu)
#define EVENTS_PULL(line) (0x10200E00u + 4u * (line))

enum siracusa_event { EVENT_OFF_CHIP = 7, EVENT_COPY = 8, EVENT_ENGINE = 12 };

/* N-EUREKA. */
#define ENGINE_BASE 0x10201000u
#define ENGINE_COMMIT (ENGINE_BASE + 0x00u)
#define ENGINE_ACQUIRE (ENGINE_BASE + 0x04u)
#define ENGINE_STATUS (ENGINE_BASE + 0x0Cu)
#define ENGINE_SOFT_CLEAR (ENGINE_BASE + 0x14u)
#define ENGINE_JOB(number) (ENGINE_BASE + 0x20u + 4u * (number))
#define ENGINE_CONTEXT_0 0x001u
#define ENGINE_CONTEXT_1 0x100u

/* MCHAN: the port of each core of the cluster, and the one of the fabric controller. */
#define MCHAN_PORT_OF_CORE 0x10204400u
#define MCHAN_PORT_OF_FABRIC 0x10201800u
#define MCHAN_COMMAND(port) ((port) + 0x0u) /* a read gives an id, writes give a command */
#define MCHAN_STATUS(port) ((port) + 0x4u)  /* ids that are busy; a write frees ids */
#define MCHAN_INTO_L1 (1u << 17)
#define MCHAN_INCREMENT (1u << 18)
#define MCHAN_STRIDED (1u << 19) /* on the side that is not L1 */
#define MCHAN_EVENT (1u << 20)

/* uDMA: its clocks, and the HyperBus, which is peripheral 4 with two transaction numbers. */
#define UDMA_BASE 0x1A102000u
#define UDMA_CLOCKS (UDMA_BASE + 0x0u)
#define UDMA_HYPERBUS_CLOCK (1u << 4)
#define HYPERBUS_BASE (UDMA_BASE + 0x280u)
#define HYPERBUS_READ_ADDRESS (HYPERBUS_BASE + 0x00u) /* in L2 */
#define HYPERBUS_READ_BYTES (HYPERBUS_BASE + 0x04u)
#define HYPERBUS_READ_START (HYPERBUS_BASE + 0x08u)
#define HYPERBUS_WRITE_ADDRESS (HYPERBUS_BASE + 0x0Cu) /* in L2 */
#define HYPERBUS_WRITE_BYTES (HYPERBUS_BASE + 0x10u)
#define HYPERBUS_WRITE_START (HYPERBUS_BASE + 0x14u)
#define HYPERBUS_COMMAND (HYPERBUS_BASE + 0x18u)
#define HYPERBUS_ADDRESS (HYPERBUS_BASE + 0x1Cu) /* in the memory */
#define HYPERBUS_STATUS (HYPERBUS_BASE + 0x24u)  /* transactions that are queued or running << 1 */
#define HYPERBUS_STRIDED (HYPERBUS_BASE + 0x28u)
#define HYPERBUS_STRIDED_L2 (HYPERBUS_BASE + 0x34u)
#define HYPERBUS_PAGE (HYPERBUS_BASE + 0x100u)
#define HYPERBUS_LATENCY (HYPERBUS_BASE + 0x104u)
#define HYPERBUS_LATENCY_TWICE (HYPERBUS_BASE + 0x108u)
#define HYPERBUS_SELECT_CYCLES_MAX (HYPERBUS_BASE + 0x10Cu)
#define HYPERBUS_CHIP_SELECT (HYPERBUS_BASE + 0x120u)
#define HYPERBUS_START (1u << 4)
#define HYPERBUS_COMMAND_WRITE 0x1u
#define HYPERBUS_COMMAND_READ 0x5u

#endif
