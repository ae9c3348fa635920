// SPDX-License-Identifier: Apache-2.0

//! Peer: rayon. Two branches by `join`; more by `join` of halves, which makes one fork fewer than
//! there are branches and needs no heap allocation, as each task of a `scope` does.
//!
//! The functions that bench/driver.h asks of a peer; the work inside the tasks is the shared C.

use std::os::raw::{c_char, c_int, c_uint};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};

const QUEENS_MAX: usize = 16;
const MATMUL_LEAF: usize = 32;

/// `struct queens` of bench/workloads.h.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Queens {
    n: u8,
    row: u8,
    column: [u8; QUEENS_MAX],
}

/// `struct block` of bench/workloads.h.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Block {
    c: *mut i32,
    a: *const i32,
    b: *const i32,
    n: usize,
    ld: usize,
}

// The four parts of one phase write to disjoint quadrants of c.
unsafe impl Send for Block {}
unsafe impl Sync for Block {}

/// `struct uts_tree` of bench/uts.h: immutable, and only passed on.
#[repr(C)]
pub struct UtsTree {
    _opaque: [u8; 0],
}

#[derive(Clone, Copy)]
struct Tree(*const UtsTree);

unsafe impl Send for Tree {}
unsafe impl Sync for Tree {}

/// `struct uts_node` of bench/uts.h.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct UtsNode {
    state: [u8; 20],
    depth: u32,
}

extern "C" {
    fn queens_children(board: *const Queens, child: *mut Queens) -> c_uint;
    fn block_split(m: *const Block, phase: c_int, part: *mut Block);
    fn block_leaf(m: *const Block);
    fn uts_root(tree: *const UtsTree, root: *mut UtsNode);
    fn uts_child_count(tree: *const UtsTree, node: *const UtsNode) -> c_uint;
    fn uts_child(parent: *const UtsNode, index: u32, child: *mut UtsNode);
}

/// Set once, by peer_start; it ends with the process. (OnceLock is younger than Debian 12's rustc.)
static POOL: AtomicPtr<rayon::ThreadPool> = AtomicPtr::new(null_mut());

fn on_pool<R: Send>(f: impl FnOnce() -> R + Send) -> R {
    let pool = unsafe { POOL.load(Ordering::Acquire).as_ref() };
    pool.expect("peer_start was called").install(f)
}

fn fib(n: c_int) -> c_int {
    if n < 2 {
        return n;
    }
    let (a, b) = rayon::join(|| fib(n - 1), || fib(n - 2));
    a + b
}

/// The sum of `count` > 0 branches of a node; branch i is `f(i)`.
fn sum(first: u32, count: u32, f: &(impl Fn(u32) -> u64 + Sync)) -> u64 {
    if count == 1 {
        return f(first);
    }
    let half = count / 2;
    let (a, b) = rayon::join(
        || sum(first, half, f),
        || sum(first + half, count - half, f),
    );
    a + b
}

fn skynet(base: u64, leaves: u64) -> u64 {
    if leaves == 1 {
        return base;
    }
    let step = leaves / 10;
    sum(0, 10, &|i| skynet(base + u64::from(i) * step, step))
}

fn nqueens(board: &Queens) -> u64 {
    if board.row == board.n {
        return 1;
    }
    let mut child = [*board; QUEENS_MAX];
    let count = unsafe { queens_children(board, child.as_mut_ptr()) };
    if count == 0 {
        return 0;
    }
    sum(0, count, &|i| nqueens(&child[i as usize]))
}

fn matmul(m: &Block) {
    if m.n == MATMUL_LEAF {
        unsafe { block_leaf(m) };
        return;
    }
    for phase in 0..2 {
        let mut part = [*m; 4];
        unsafe { block_split(m, phase, part.as_mut_ptr()) };
        let [p, q, r, s] = &part;
        rayon::join(
            || rayon::join(|| matmul(p), || matmul(q)),
            || rayon::join(|| matmul(r), || matmul(s)),
        );
    }
}

fn uts(tree: Tree, node: &UtsNode) -> u64 {
    let count = unsafe { uts_child_count(tree.0, node) };
    if count == 0 {
        return 1;
    }
    1 + sum(0, count, &|i| {
        let mut child = *node;
        unsafe { uts_child(node, i, &mut child) };
        uts(tree, &child)
    })
}

#[no_mangle]
pub extern "C" fn peer_version() -> *const c_char {
    concat!(env!("BENCH_VERSION"), "\0").as_ptr().cast()
}

#[no_mangle]
pub extern "C" fn peer_start(workers: c_uint) -> c_int {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(workers as usize)
        .stack_size(16 << 20)
        .build();
    match pool {
        Ok(pool) => {
            POOL.store(Box::into_raw(Box::new(pool)), Ordering::Release);
            0
        }
        Err(_) => -1,
    }
}

#[no_mangle]
pub extern "C" fn peer_stop() {}

#[no_mangle]
pub extern "C" fn peer_fib(n: c_int) -> c_int {
    on_pool(|| fib(n))
}

#[no_mangle]
pub extern "C" fn peer_skynet(leaves: u64) -> u64 {
    on_pool(|| skynet(0, leaves))
}

/// # Safety
/// `board` points to a valid board.
#[no_mangle]
pub unsafe extern "C" fn peer_nqueens(board: *const Queens) -> u64 {
    let board = *board;
    on_pool(|| nqueens(&board))
}

/// # Safety
/// `m` points to a valid block.
#[no_mangle]
pub unsafe extern "C" fn peer_matmul(m: *const Block) {
    let m = *m;
    on_pool(|| matmul(&m));
}

/// # Safety
/// `tree` comes from uts_find.
#[no_mangle]
pub unsafe extern "C" fn peer_uts(tree: *const UtsTree) -> u64 {
    let tree = Tree(tree);
    let mut root = UtsNode {
        state: [0; 20],
        depth: 0,
    };
    uts_root(tree.0, &mut root);
    on_pool(|| uts(tree, &root))
}
