//! A program without a standard library that decides how many workers it should have.
#![no_std]

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::panic::PanicInfo;
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};

use plimsoll::policy::RunPod;
use plimsoll::{Autoscaler, Config, Observation, Policy, Timestamp, WorkerEvent, WorkerId};

/// How many workers nine waiting requests call for; zero if anything is refused.
#[unsafe(no_mangle)]
pub extern "C" fn plimsoll_smoke() -> u32 {
    decide().unwrap_or(0)
}

fn decide() -> Option<u32> {
    let config = Config::new(Policy::RunPod(RunPod::request_count(4)), 0, 10).ok()?;
    let mut autoscaler = Autoscaler::new(config, Timestamp::ORIGIN);
    autoscaler.observe(Timestamp::from_secs(1), Observation::arrived(9)).ok()?;
    autoscaler.observe(Timestamp::from_secs(1), Observation::worker(WorkerId(1), WorkerEvent::Ordered)).ok()?;
    let decision = autoscaler.decide(Timestamp::from_secs(1));
    (!decision.commands.is_empty()).then_some(decision.desired)
}

/// Gives out memory once and takes none back.
struct Bump {
    memory: UnsafeCell<[u8; SIZE]>,
    used: AtomicUsize,
}

const SIZE: usize = 1 << 20;

#[global_allocator]
static MEMORY: Bump = Bump { memory: UnsafeCell::new([0; SIZE]), used: AtomicUsize::new(0) };

// SAFETY: `used` gives every byte of `memory` to one caller at most.
unsafe impl Sync for Bump {}

// SAFETY: each block lies within `memory`, is aligned, and overlaps no other, because `used` only grows.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let room = layout.size().saturating_add(layout.align());
        let start = self.used.fetch_add(room, Ordering::Relaxed);
        if start.saturating_add(room) > SIZE {
            return ptr::null_mut();
        }
        let block = self.memory.get().cast::<u8>().wrapping_add(start);
        block.wrapping_add(block.align_offset(layout.align()))
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}
