import js from "@eslint/js";
import reactHooks from "eslint-plugin-react-hooks";
import globals from "globals";
import tseslint from "typescript-eslint";

const NO_SOCKET = "Only src/link/driver.ts opens sockets: speak over a Driver.";

export default tseslint.config(
  { ignores: ["dist", "src/api/schema.ts"] },
  js.configs.recommended,
  {
    files: ["**/*.{ts,tsx}"],
    extends: [...tseslint.configs.strictTypeChecked, ...tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true }, globals: globals.browser },
    plugins: { "react-hooks": reactHooks },
    rules: {
      ...reactHooks.configs.recommended.rules,
      // Numbers read well inside template strings.
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      // Handlers may start work whose errors are shown elsewhere.
      "@typescript-eslint/no-misused-promises": ["error", { checksVoidReturn: { attributes: false } }],
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true }],
      // Counting and encoding by code point is what is wanted where strings are spread.
      "@typescript-eslint/no-misused-spread": ["error", { allow: [{ from: "lib", name: "string" }, "string"] }],
      "@typescript-eslint/consistent-type-definitions": ["error", "interface"],
      "max-lines": ["error", { max: 400, skipBlankLines: true, skipComments: true }],
    },
  },
  {
    // One module owns the socket: link/driver.ts. Whoever else opened one would reconnect on its own.
    files: ["src/**/*.{ts,tsx}"],
    ignores: ["src/link/driver.ts"],
    rules: {
      "no-restricted-globals": ["error", ...["WebSocket", "WebSocketStream"].map((name) => ({ name, message: NO_SOCKET }))],
      "no-restricted-properties": ["error", ...["window", "globalThis", "self"].map((object) => ({ object, property: "WebSocket", message: NO_SOCKET }))],
    },
  },
  { files: ["**/*.{js,mjs}"], languageOptions: { globals: globals.node } },
);
