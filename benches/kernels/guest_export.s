# Tells polkavm-linker that `kernel` is an export with one argument register and one result register.

    .section .polkavm_metadata, "a", @progbits
name:
    .ascii "kernel"
    .set name_len, . - name
prototype:
    .byte 1                 # version
    .4byte 0                # flags
    .4byte name_len
    .8byte name
    .byte 1                 # argument registers
    .byte 1                 # result registers

    .section .polkavm_exports, "aR", @progbits
    .byte 1                 # version
    .8byte prototype
    .8byte kernel
