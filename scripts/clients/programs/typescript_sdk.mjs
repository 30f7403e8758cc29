// Anthropic's TypeScript SDK: a tool round by hand, streamed and whole, by its tool runner, and a count of tokens.
import Anthropic from "@anthropic-ai/sdk";
import { betaTool } from "@anthropic-ai/sdk/helpers/beta/json-schema";

const word = process.env.WORD;
const model = "claude-opus-5-5";
const prompt = { role: "user", content: `<<CALL lookup {"word":"x"}>>` };
const schema = { type: "object", properties: { word: { type: "string" } }, required: ["word"] };
const tools = [{ name: "lookup", description: "Look a word up", input_schema: schema }];
const textOf = (message) => message.content.map((block) => block.text ?? "").join("");

const client = new Anthropic();
const messages = [prompt];
const ask = { model, max_tokens: 500, tools, messages };
const first = await client.messages.stream(ask).finalMessage();
const use = first.content.find((block) => block.type === "tool_use");
if (first.stop_reason !== "tool_use" || use.input.word !== "x") throw new Error(JSON.stringify(first));
messages.push({ role: "assistant", content: first.content });
messages.push({ role: "user", content: [{ type: "tool_result", tool_use_id: use.id, content: word }] });
console.log("whole:", textOf(await client.messages.create(ask)));
console.log("streamed:", textOf(await client.messages.stream(ask).finalMessage()));
const counted = await client.messages.countTokens({ model, messages });
if (!(counted.input_tokens > 0)) throw new Error("count_tokens");

const lookup = betaTool({
  name: "lookup",
  description: "Look a word up",
  inputSchema: schema,
  run: async (input) => `${word} ${input.word}`,
});
const last = await client.beta.messages.toolRunner({ model, max_tokens: 500, tools: [lookup], messages: [prompt] });
console.log("tool runner:", textOf(last));
