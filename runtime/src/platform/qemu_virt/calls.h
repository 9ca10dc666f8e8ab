/* Numbers of the monitor's calls, in a7; arguments and answers as in a C call. Read by assembly. */
#ifndef ARETUSA_CALLS_H
#define ARETUSA_CALLS_H

#define CALL_BARRIER 0
#define CALL_PRINT 1
#define CALL_RECORD 2
#define CALL_EXIT 3
#define CALL_FINISH 4
#define CALL_COUNT 5

#endif
