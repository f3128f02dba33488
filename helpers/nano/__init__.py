"""The course's readable engine in NumPy: paged KV cache, continuous batching, prefix caching, speculation.

Read it in this order: request, block_manager, scheduler (no model, no arrays, no clock); kv_cache, model, sampling
(arrays); engine, which joins them; trace, which records what each step did.
"""
