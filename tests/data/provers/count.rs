use vstd::prelude::*;

verus! {

fn count(n: u32) -> (r: u32)
    requires n <= 1000,
    ensures r == n,
{
    let mut i: u32 = 0;
    while i < n
        invariant
            i <= n,
            n <= 1000,
        decreases n - i,
    {
        i = i + 1;
    }
    assert(i == n);
    i
}

proof fn shown(a: int) ensures a * 0 == 0 {
    assert(a * 0 == 0) by (nonlinear_arith);
}

} // verus!

fn main() {}
