// Vercel's AI SDK: a tool loop, whole and streamed, and an answer with a schema.
import { createAnthropic } from "@ai-sdk/anthropic";
import { generateText, Output, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

const word = process.env.WORD;
const anthropic = createAnthropic({ baseURL: `${process.env.ANTHROPIC_BASE_URL}/v1` });
const model = anthropic("claude-opus-5-5");
const lookup = tool({
  description: "Look a word up",
  inputSchema: z.object({ word: z.string() }),
  execute: async (input) => `${word} ${input.word}`,
});
const ask = { model, tools: { lookup }, stopWhen: stepCountIs(3), prompt: `<<CALL lookup {"word":"x"}>>` };
console.log("whole:", (await generateText(ask)).text);
let streamed = "";
for await (const part of streamText(ask).textStream) streamed += part;
console.log("streamed:", streamed);

const output = Output.object({ schema: z.object({ word: z.string() }) });
const prompt = `<<SAY {"word": "${word}"}>>`;
console.log("schema:", (await generateText({ model, output, prompt })).output.word);
