"""openai_client.py - OpenAI's client against `ithaca serve`: openai_client.py URL KEY. Prints TAP lines."""
import sys
import openai
from openai import OpenAI

url, key = sys.argv[1:]
client = OpenAI(base_url=url + "/v1", api_key=key, max_retries=0, timeout=120)


def check(name, fine, *got):
    print("".join(f"# {g}\n" for g in got if not fine) + ("ok" if fine else "not ok"), "openai:", name, flush=True)


model = client.models.list().data[0].id
check("models", model == "needle-qwen3" and client.models.list().data[0].object == "model", model)
hello = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is the passkey of Deborah?"}]
chat = dict(model=model, messages=hello, temperature=0, max_completion_tokens=12)
text = dict(model=model, prompt="The passkey of Deborah is", temperature=0, max_tokens=8)

# Chats
r = client.chat.completions.create(**chat)
whole = r.choices[0].message.content
check("chat", r.object == "chat.completion" and r.choices[0].message.role == "assistant" and whole and r.choices[0].finish_reason in
      ("stop", "length") and r.usage.total_tokens == r.usage.prompt_tokens + r.usage.completion_tokens, r)
chunks = list(client.chat.completions.create(**chat, stream=True, stream_options={"include_usage": True}))
parts = [c.choices[0].delta.content or "" for c in chunks if c.choices]
check("chat, streamed: the same", "".join(parts) == whole and chunks[0].choices[0].delta.role == "assistant", parts, whole)
check("usage at the end", chunks[-1].choices == [] and chunks[-1].usage == r.usage, chunks[-1])
end = whole[2:5]
with client.chat.completions.stream(**chat, stop=end) as stream:
    check("the streaming helper", "".join(e.delta for e in stream if e.type == "content.delta") == whole[:whole.index(end)] ==
          stream.get_final_completion().choices[0].message.content)
r = client.chat.completions.create(**{**chat, "temperature": 1.0}, n=3, seed=5)
again = client.chat.completions.create(**{**chat, "temperature": 1.0}, n=3, seed=5)
check("n and seed", [c.index for c in r.choices] == [0, 1, 2] and [c.message for c in r.choices] == [c.message for c in again.choices])
r = client.chat.completions.create(**chat, logprobs=True, top_logprobs=2)
lp = r.choices[0].logprobs.content
check("logprobs", bytes(sum((t.bytes for t in lp), [])).decode().startswith(whole) and
      all(t.top_logprobs[0].token == t.token and t.top_logprobs[0].logprob == t.logprob <= 0 and len(t.top_logprobs) == 2 for t in lp), lp)
r = client.chat.completions.create(**{**chat, "messages": [{"role": "user", "content": [{"type": "text", "text": "What is the passkey "},
                                                                                         {"type": "text", "text": "of Deborah?"}]}]})
check("content in parts", r.choices[0].message.content is not None)
r = client.chat.completions.create(**chat, stop=end)
check("stop", r.choices[0].message.content == whole[:whole.index(end)] and r.choices[0].finish_reason == "stop", r.choices[0], whole)
r = client.chat.completions.with_raw_response.create(**chat)
check("a raw response", r.parse().choices[0].message.content == whole and r.headers["content-type"] == "application/json")

# Completions
r = client.completions.create(**text)
plain = r.choices[0].text
check("completion", r.object == "text_completion" and r.usage.completion_tokens == 8 and r.choices[0].finish_reason == "length", r)
check("completion, streamed: the same", "".join(c.choices[0].text for c in client.completions.create(**text, stream=True)) == plain)
r = client.completions.create(**text, echo=True, logprobs=2)
check("echo with logprobs", r.choices[0].text == text["prompt"] + plain and "".join(r.choices[0].logprobs.tokens) == r.choices[0].text and
      r.choices[0].logprobs.token_logprobs[0] is None, r)
r = client.completions.create(**{**text, "prompt": [text["prompt"], "Another"]}, n=2, extra_body={"ignore_eos": True, "top_k": 1})
check("two prompts, two answers, extra_body", [c.text == plain for c in r.choices] == [True, True, False, False] and r.usage.completion_tokens == 32, r)


# Responses
asked = dict(model=model, instructions=hello[0]["content"], input=hello[1]["content"], temperature=0, max_output_tokens=12)
r = client.responses.create(**asked)
check("response", r.output_text == whole and r.status in ("completed", "incomplete") and r.usage.total_tokens == r.usage.input_tokens + r.usage.output_tokens, r)
parts, last = [], None
for event in client.responses.create(**asked, stream=True):
    last = event
    if event.type == "response.output_text.delta":
        parts.append(event.delta)
check("response, streamed: the same", "".join(parts) == whole == last.response.output_text, parts, last)
with client.responses.stream(**asked, extra_body={"stop": end}) as stream:
    deltas = "".join(e.delta for e in stream if e.type == "response.output_text.delta")
    check("response: the streaming helper", deltas == whole[:whole.index(end)] == stream.get_final_response().output_text, deltas)

# Embeddings
r = client.embeddings.create(model=model, input=["The passkey of Ann is 5.", "a"])
again = client.embeddings.create(model=model, input="a", encoding_format="float")
check("embeddings", len(r.data) == 2 and len(r.data[0].embedding) == 192 and abs(sum(x * x for x in r.data[0].embedding) - 1) < 1e-5 and
      max(abs(x - y) for x, y in zip(r.data[1].embedding, again.data[0].embedding)) < 1e-7 and r.usage.prompt_tokens == 11, r.usage)
r = client.embeddings.create(model=model, input="a", dimensions=16)
check("embeddings: dimensions", len(r.data[0].embedding) == 16 and abs(sum(x * x for x in r.data[0].embedding) - 1) < 1e-5)


# Errors become the right exceptions
def refused(name, error, call, param="nothing asked"):
    try:
        got = call()
    except openai.APIError as e:
        fine = type(e) is error and isinstance(getattr(e, "body", None), dict) and e.body["message"]
        check(f"refused: {name}", fine and param in ("nothing asked", e.param), type(e), e)
    else:
        check(f"refused: {name}", False, got)


refused("a temperature", openai.BadRequestError, lambda: client.chat.completions.create(**{**chat, "temperature": -1}), "temperature")
refused("a field", openai.BadRequestError, lambda: client.completions.create(**text, suffix="x"), "suffix")
refused("a field, streamed", openai.BadRequestError, lambda: client.completions.create(**text, suffix="x", stream=True), "suffix")
refused("no such address", openai.NotFoundError, lambda: client.moderations.create(input="x"))
refused("a wrong key", openai.AuthenticationError, lambda: client.with_options(api_key="wrong").models.list())
refused("a long prompt", openai.BadRequestError, lambda: client.completions.create(**{**text, "prompt": [1] * 9000}))
refused("a long body", openai.APIStatusError, lambda: client.completions.create(**{**text, "prompt": "x" * 5000000}))
try:
    client.with_options(timeout=0.5).completions.create(**{**text, "max_tokens": 8000}, extra_body={"ignore_eos": True})
    check("a time limit", False)
except openai.APITimeoutError:
    check("a time limit", client.completions.create(**text).choices[0].text == plain)

# Asynchronous, many at a time
import asyncio


async def many():
    a = openai.AsyncOpenAI(base_url=url + "/v1", api_key=key, max_retries=0)
    return await asyncio.gather(*[a.completions.create(**text) for _ in range(12)])
check("asynchronous, twelve at a time", all(r.choices[0].text == plain for r in asyncio.run(many())))
