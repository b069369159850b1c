"""langchain_client.py - LangChain's client against `ithaca serve`: langchain_client.py URL KEY. Prints TAP lines."""
import sys
import openai
from langchain_core.messages import HumanMessage, SystemMessage
from langchain_core.prompts import ChatPromptTemplate
from langchain_openai import ChatOpenAI, OpenAI

url, key = sys.argv[1:]
how = dict(base_url=url + "/v1", api_key=key, model="needle-qwen3", temperature=0, max_retries=0)


def check(name, fine, *got):
    print("".join(f"# {g}\n" for g in got if not fine) + ("ok" if fine else "not ok"), "langchain:", name, flush=True)


chat = ChatOpenAI(**how, max_tokens=12)
messages = [SystemMessage("Be brief."), HumanMessage("What is the passkey of Deborah?")]
r = chat.invoke(messages)
check("invoke", r.content and r.usage_metadata["total_tokens"] == r.usage_metadata["input_tokens"] + r.usage_metadata["output_tokens"] and
      r.response_metadata["finish_reason"] in ("stop", "length"), r)
parts = list(chat.stream(messages))
check("stream: the same", "".join(p.content for p in parts) == r.content, parts)
usage = [p.usage_metadata for p in chat.stream(messages, stream_usage=True) if p.usage_metadata]
check("usage of a stream", usage == [r.usage_metadata], usage)
check("batch", [x.content for x in chat.batch([messages] * 4)] == [r.content] * 4)
chain = ChatPromptTemplate.from_messages([("system", "Be brief."), ("human", "What is the passkey of {name}?")]) | chat
check("a chain", chain.invoke({"name": "Deborah"}).content == r.content)
lp = ChatOpenAI(**how, max_tokens=4, logprobs=True, top_logprobs=2).invoke(messages)
check("logprobs", len(lp.response_metadata["logprobs"]["content"]) == 4, lp.response_metadata)
check("stop", chat.invoke(messages, stop=[r.content[2:5]]).content == r.content[:r.content.index(r.content[2:5])])
plain = OpenAI(**how, max_tokens=8)
text = plain.invoke("The passkey of Deborah is")
check("a completion, streamed: the same", text and "".join(plain.stream("The passkey of Deborah is")) == text, text)
try:
    chat.invoke(messages, top_p=7)
    check("an error", False)
except openai.APIError as e:
    check("an error", isinstance(e, openai.BadRequestError) and e.param == "top_p", type(e), e)
