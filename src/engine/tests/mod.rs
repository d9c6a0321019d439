//! Whole runs of toy stages: what is cached, what runs beside what, and what is left after anything that can happen.

mod caching;
mod failing;
mod killing;
mod sharing;
mod toys;
