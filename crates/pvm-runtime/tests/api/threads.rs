//! One module, many guests on several threads.

use crate::{engines, standard};
use pvm_runtime::{Completion, Linker, Store};

#[test]
fn a_thousand_guests_on_four_threads_do_as_one() {
    // Sums up the numbers below its argument's first byte times 8.
    let text = "
        load_ind_u8 r9, [r7]
        shlo_l_imm_64 r9, r9, 3
        load_imm r10, 0
        load_imm r11, 0
        fallthrough
loop:   add_64 r10, r10, r11
        add_imm_64 r11, r11, 1
        branch_lt_u r11, r9, loop
        store_u64 r10, [0x20000]
        load_imm r7, 0x20000
        load_imm r8, 8
        jump_ind r0, 0
        .rwdata
        .u64 0";
    let mut linker = Linker::<()>::new();
    linker.func(1, |_| Ok(()));
    for engine in engines() {
        let module = standard(&engine, text);
        let results = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|thread| {
                    let (module, linker) = (&module, &linker);
                    scope.spawn(move || {
                        let mut stores: Vec<_> = (0..250).map(|_| Store::new(module, linker, ()).unwrap()).collect();
                        let run = |(k, store): (usize, &mut Store<()>)| {
                            let n = (4 * k + thread) as u8;
                            store.invoke(0, 1 << 20, &[n]).unwrap()
                        };
                        stores.iter_mut().enumerate().map(run).collect::<Vec<_>>()
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        for (thread, results) in results.into_iter().enumerate() {
            for (k, invocation) in results.into_iter().enumerate() {
                let n = u64::from((4 * k + thread) as u8) * 8;
                let sum = if n == 0 { 0 } else { n * (n - 1) / 2 };
                assert_eq!(invocation.completion, Completion::Output(sum.to_le_bytes().to_vec()));
                assert_eq!(invocation.gas_used, 9 + 3 * n.max(1));
            }
        }
    }
}
