import type { Recipe } from '../recipe.js'

/**
 * Gemini CLI takes a base URL for a sign that it is to use a gateway of its own kind, which it then refuses
 * without a terminal; settings say which way of authentication is meant. Those of the system go before the
 * user's, who may be logged in with Google. The defaults lie beside them, so their place is said too.
 */
export const geminiCli: Recipe = {
  name: 'gemini-cli',
  label: 'Gemini CLI',
  commands: ['gemini'],
  packages: ['@google/gemini-cli'],
  trial: { version: '0.61.0', how: 'run' },
  providers: {
    gemini: {
      set: {
        GEMINI_API_KEY: '{token}',
        GOOGLE_GEMINI_BASE_URL: '{base}',
        GEMINI_CLI_SYSTEM_SETTINGS_PATH: '{file:gemini-cli.json}',
      },
      preset: {
        GEMINI_CLI_SYSTEM_DEFAULTS_PATH: {
          linux: '/etc/gemini-cli/system-defaults.json',
          darwin: '/Library/Application Support/GeminiCli/system-defaults.json',
          win32: 'C:\\ProgramData\\gemini-cli\\system-defaults.json',
        },
      },
      // With both Google variables it prints a warning at every start.
      unset: ['GOOGLE_API_KEY', 'GOOGLE_GENAI_USE_VERTEXAI', 'GOOGLE_GENAI_USE_GCA'],
      files: [
        {
          name: 'gemini-cli.json',
          json: { security: { auth: { selectedType: 'gemini-api-key' } } },
          over: {
            variable: 'GEMINI_CLI_SYSTEM_SETTINGS_PATH',
            path: {
              linux: '/etc/gemini-cli/settings.json',
              darwin: '/Library/Application Support/GeminiCli/settings.json',
              win32: 'C:\\ProgramData\\gemini-cli\\settings.json',
            },
          },
        },
      ],
    },
  },
}
