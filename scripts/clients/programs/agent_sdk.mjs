// The Claude Agent SDK with a tool of the program's own, which its engine reaches through MCP.
import { createSdkMcpServer, query, tool } from "@anthropic-ai/claude-agent-sdk";
import { z } from "zod";

const lookup = tool("lookup", "Look a word up", { word: z.string() }, async ({ word }) => ({
  content: [{ type: "text", text: `${process.env.WORD} ${word}` }],
}));
const options = {
  model: "claude-opus-5-5",
  mcpServers: { dictionary: createSdkMcpServer({ name: "dictionary", version: "1.0.0", tools: [lookup] }) },
  allowedTools: ["mcp__dictionary__lookup"],
  settingSources: [],
};
const prompt = `<<CALL mcp__dictionary__lookup {"word":"x"}>>`;
for await (const message of query({ prompt, options })) {
  if (message.type === "result") console.log(`own tool: ${message.subtype} ${message.result?.replaceAll("\n", " ")}`);
}
