const NAME = '[A-Za-z_][A-Za-z0-9_]*'
const WHOLE_NAME = new RegExp(`^${NAME}$`)
const REFERRED = new RegExp(`^\\$(?:\\{(${NAME})\\}|(${NAME}))$`)
// Keys of providers are never upper-case words joined by underscores.
const LOOKS_NAMED = /^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+$/

/** Whether `text` can be the name of an environment variable. */
export function isVariableName(text: string): boolean {
  return WHOLE_NAME.test(text)
}

/** The variable that `$NAME` or `${NAME}` refers to; `undefined` when the text is anything else. */
export function variableReferred(text: string): string | undefined {
  const [, braced, bare] = REFERRED.exec(text) ?? []
  return braced ?? bare
}

/** The variable that a text names, as {@link variableReferred} or bare, `OPENAI_API_KEY`. */
export function variableNamed(text: string): string | undefined {
  return variableReferred(text) ?? (LOOKS_NAMED.test(text) ? text : undefined)
}
