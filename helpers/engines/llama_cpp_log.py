"""What llama.cpp writes to its log when something is wrong, and what it means (read off release b11549)."""

from helpers.engines.failures import Symptom

SYMPTOMS = (
    Symptom(
        r"couldn't bind HTTP server socket, hostname: \S+, port: (\d+)",
        "port {0} is taken",
        "another server started there meanwhile",
        "launch again, or choose another port",
    ),
    Symptom(
        r"failed to open GGUF file '(.+?)' \((.+?)\)",
        "the model file {0} cannot be opened: {1}",
        "a typing mistake, or a file that was moved",
        "ls -l {0}",
    ),
    Symptom(
        r"data is not within the file bounds|model is corrupted or incomplete|failed to read (?:tensor|key-value)",
        "the model file is truncated",
        "a download or a copy that was cut short",
        "get the file again and compare its size",
    ),
    Symptom(
        r"invalid magic characters: '(.*?)'|failed to read magic",
        "the model file is not GGUF",
        "it starts with {0!r}; llama.cpp reads only .gguf files",
        "give a .gguf file, or a directory in Hugging Face layout, which is exported",
    ),
    Symptom(
        r"unknown model architecture: '(.+?)'",
        "this llama.cpp does not know the architecture {0}",
        "a newer model than the engine",
        "take another model",
    ),
    Symptom(
        r"unknown pre-tokenizer type: '(.+?)'",
        "this llama.cpp does not know the tokenizer {0}",
        "a newer model than the engine",
        "take another model",
    ),
    Symptom(
        r"failed to load draft model, '(.+?)'",
        "the draft model {0} cannot be loaded",
        "it is damaged, or no draft for this engine",
        "launch with speculation='none' to see whether the target alone loads",
    ),
    Symptom(
        r"common_chat_templates_init: error: (.+)",
        "the model's chat template cannot be read: {0}",
        "a template that llama.cpp's Jinja does not understand",
        "take another model, or correct tokenizer.chat_template",
    ),
    Symptom(
        r"error loading model: (.+)",
        "the model cannot be loaded: {0}",
        "the file does not fit this engine",
        "take another model, or export it again",
    ),
    Symptom(
        r"failed to (?:allocate|create) (?:buffer|compute|memory|context|\w+ buffer).*",
        "the engine ran out of memory",
        "model and max_model_len x max_num_seqs are too large for this machine",
        "lower max_model_len or max_num_seqs, or take a smaller precision",
    ),
)
REFUSALS = (
    Symptom(
        r"failed to initialize speculative decoding context: (.+)",
        "llama.cpp would serve without speculation: {0}",
        "the draft does not fit the model or the kind of speculation",
        "choose a draft made for this model, or speculation='none'",
    ),
)
