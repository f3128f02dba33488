"""The gateway in front of the embedded engine: the official clients get the model's own words."""

from pathlib import Path

import ollama
import openai

from helpers.api.process import GatewayProcess


def test_the_official_clients_talk_to_an_engine_that_serve_starts_and_ends(tmp_path: Path) -> None:
    with GatewayProcess("--engine", "llama.cpp", "--database", f"sqlite:///{tmp_path}/g.sqlite") as gateway:
        with openai.OpenAI(base_url=gateway.url, api_key="none", max_retries=0) as client:
            [model] = [model.id for model in client.models.list()]
            plain = client.chat.completions.create(
                model=model, messages=[{"role": "user", "content": "What is a KV cache?"}], max_tokens=16, temperature=0
            )
            with client.chat.completions.create(
                model=model,
                messages=[{"role": "user", "content": "What is a KV cache?"}],
                max_tokens=16,
                temperature=0,
                stream=True,
            ) as stream:
                said = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
        assert said
        assert said == plain.choices[0].message.content
        assert plain.usage is not None
        with ollama.Client(gateway.root, trust_env=False) as client_of_ollama:
            answer = client_of_ollama.chat(
                model,
                [{"role": "user", "content": "What is a KV cache?"}],
                options={"temperature": 0, "num_predict": 16},
            )
            assert answer.message.content == said
            assert answer.eval_count == plain.usage.completion_tokens
            assert (answer.eval_duration or 0) > 0
