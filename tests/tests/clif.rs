//! Random functions through the PVM back end, against Cranelift's interpreter: the same ones each time.

use fastrand::Rng;
use pvm_fuzzing::clif;

/// What the fuzzer has found: copies that changed their names for ever.
const FOUND: [u64; 1] = [944_475_526_224_589_072];

#[test]
fn random_functions_agree() {
    let (mut returned, mut trapped) = (0, 0);
    for seed in (0..150).chain(FOUND) {
        let mut rng = Rng::with_seed(seed);
        let functions = clif::functions(&mut rng);
        match clif::check(&functions, &mut rng) {
            Ok(checked) => {
                returned += checked.returned;
                trapped += checked.trapped;
            }
            Err(problem) => panic!("seed {seed}: {problem}\n{}", clif::text(&functions)),
        }
    }
    assert!(returned > 100 && trapped > 30, "{returned} runs returned, {trapped} trapped");
}
