/* The window of the request: whoever starts the program writes the block into the ELF file, or
 * gives REQUEST_FILE when it is built. */
#define REQUEST_BYTES 16384

    .section .request, "a"
    .balign 16
    .globl siracusa_request
    .globl siracusa_request_end
siracusa_request:
#ifdef REQUEST_FILE
    .incbin REQUEST_FILE
#endif
    .org siracusa_request + REQUEST_BYTES
siracusa_request_end:
