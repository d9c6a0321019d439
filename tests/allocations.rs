//! The inference engine allocates for its result, not for its layers.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering},
};

use candle_core::Device;
use lmpipe::{
    model::{EncoderSpec, Head, LayerShape, Model, Packed},
    runtime::Engine,
};

/// The system's allocator, counted.
struct Counted;

static COUNT: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`, and `alloc` was the system's.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counted = Counted;

/// Allocations of a pass over a few sequences, once the engine has its memory.
fn allocations(layers: usize) -> usize {
    let layer = LayerShape { heads: 2, intermediate_size: 64, reach: None };
    let spec = EncoderSpec {
        vocab_size: 100,
        max_positions: 64,
        initializer_range: 0.1,
        ..EncoderSpec::bert(32, 16, vec![layer; layers])
    };
    let head = Head::SequenceClassification { labels: vec!["no".into(), "yes".into()] };
    let model = Model::init(spec, head, 1, &Device::Cpu).expect("a model of any shape can be made");
    let engine = Engine::new(model).expect("it has all of its parameters");
    let ids: Vec<u32> = (0..150).map(|token| token % 100).collect();
    let batch = Packed::new(&ids, &[0; 150], &[0, 20, 84, 100, 150]);
    let pass = || drop(engine.logits(batch).expect("the batch fits the model"));
    pass();
    let before = COUNT.load(Ordering::Relaxed);
    pass();
    COUNT.load(Ordering::Relaxed) - before
}

#[test]
fn layers_allocate_nothing() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let [shallow, deep] = pool.install(|| [1, 12].map(allocations));
    assert_eq!(shallow, deep, "what a pass allocates does not depend on its layers");
    assert!(deep <= 8, "{deep} allocations for the result and the cut of the batch");
}
