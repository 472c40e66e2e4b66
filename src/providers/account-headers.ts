/**
 * Headers by which callers name an account, in lower case: of ChatGPT logins, OpenAI's organisations and projects
 * (platform.openai.com/docs/api-reference/authentication), Google's projects
 * (cloud.google.com/apis/docs/system-parameters) and the user that Gemini's programs name. They belong to one
 * credential: with another one they are refused, or charge somebody else.
 */
export const ACCOUNT_HEADERS: ReadonlySet<string> = new Set([
  'chatgpt-account-id',
  'openai-organization',
  'openai-project',
  'x-goog-user-project',
  'x-gemini-api-privileged-user-id',
])
