import { AUTH_MODES } from '../domain/profile.js'

/** The methods of `ProfileTools` that are tools. */
export type ToolMethod =
  | 'add'
  | 'delete'
  | 'enable'
  | 'export'
  | 'import'
  | 'list'
  | 'providers'
  | 'setPriority'
  | 'test'

/** A property of a tool's arguments, as JSON Schema describes it. */
export interface ToolProperty {
  readonly type: 'string' | 'integer' | 'boolean' | 'array' | 'object'
  readonly description: string
  readonly enum?: readonly string[]
  readonly items?: { readonly type: 'string' }
}

/** A tool as the Model Context Protocol lists it, and the method behind it. */
export interface ToolDefinition {
  readonly name: string
  readonly method: ToolMethod
  readonly description: string
  readonly input_schema: {
    readonly type: 'object'
    readonly properties: Readonly<Record<string, ToolProperty>>
    readonly required: readonly string[]
    readonly additionalProperties: false
  }
}

const PROFILE_ID: ToolProperty = {
  type: 'string',
  description: 'Profile id, PROVIDER:NAME, such as openai:work.',
}
const PROVIDER: ToolProperty = {
  type: 'string',
  description: 'Provider, such as openai, anthropic or gemini.',
}
const NAME: ToolProperty = {
  type: 'string',
  description: 'Name of the profile, such as work or an e-mail address. Default: default.',
}
const MODE: ToolProperty = { type: 'string', enum: AUTH_MODES, description: 'How the profile authenticates.' }
const PRIORITY: ToolProperty = {
  type: 'integer',
  description: 'Profiles of a higher priority are used first.',
}
const REPLACE: ToolProperty = {
  type: 'boolean',
  description: 'Overwrite an existing profile of the same id. Default: false, which refuses.',
}

/** Every tool, for surfaces that offer them to agents. */
export const TOOL_DEFINITIONS: readonly ToolDefinition[] = [
  tool(
    'profile_add',
    'add',
    'Adds a credential of an AI provider under a name. An OAuth profile is added without one and completed by keymux login.',
    {
      provider: PROVIDER,
      name: NAME,
      mode: {
        ...MODE,
        description: 'How the profile authenticates. Follows from api_key or token when left out.',
      },
      api_key: { type: 'string', description: 'The API key, for mode api_key.' },
      token: { type: 'string', description: 'The bearer token, for mode token.' },
      priority: PRIORITY,
      base_url: {
        type: 'string',
        description:
          'Base URL of the API, where it is not the provider’s own. Refused where that needs a person.',
      },
      account: {
        type: 'string',
        description:
          'Organisation, project or subscription behind the credential. Profiles of one account share limits.',
      },
      models: {
        type: 'array',
        items: { type: 'string' },
        description: 'Globs of the models the profile may serve, such as gpt-4*. Default: all.',
      },
      replace: REPLACE,
    },
    ['provider'],
  ),
  tool('profile_delete', 'delete', 'Deletes a profile and its credential.', { profile_id: PROFILE_ID }, [
    'profile_id',
  ]),
  tool(
    'profile_enable',
    'enable',
    'Switches a profile on or off. One that is off is never used.',
    {
      profile_id: PROFILE_ID,
      enable: { type: 'boolean', description: 'true switches on, false switches off.' },
    },
    ['profile_id', 'enable'],
  ),
  tool(
    'profile_export',
    'export',
    'Gives the credential of a profile for a backup or a move. Refused where revealing needs a person.',
    { profile_id: PROFILE_ID },
    ['profile_id'],
  ),
  tool(
    'profile_import',
    'import',
    'Adds a profile from credential data as profile_export gives it.',
    {
      provider: PROVIDER,
      name: NAME,
      mode: MODE,
      data: {
        type: 'object',
        description:
          'api_key: {key} or {key_ref}. token: {token} or {token_ref}, and expires_at. oauth: {access_token, refresh_token, expires_at, email, client_id, scopes, metadata}. Times are RFC 3339. References and addresses are refused where they need a person.',
      },
      replace: REPLACE,
    },
    ['provider', 'mode', 'data'],
  ),
  tool(
    'profile_list',
    'list',
    'Lists profiles and how they stand, without their credentials.',
    {
      provider: { ...PROVIDER, description: 'Only profiles of this provider.' },
      mode: { ...MODE, description: 'Only profiles of this mode.' },
      enabled: { type: 'boolean', description: 'Only profiles that are switched on (true) or off (false).' },
    },
    [],
  ),
  tool('profile_providers', 'providers', 'Lists the providers that profiles can be added for.', {}, []),
  tool(
    'profile_set_priority',
    'setPriority',
    'Sets the priority of a profile.',
    { profile_id: PROFILE_ID, priority: PRIORITY },
    ['profile_id', 'priority'],
  ),
  tool(
    'profile_test',
    'test',
    'Tells whether the credential of a profile is there, readable and not expired, without asking the provider.',
    { profile_id: PROFILE_ID },
    ['profile_id'],
  ),
]

function tool(
  name: string,
  method: ToolMethod,
  description: string,
  properties: Readonly<Record<string, ToolProperty>>,
  required: readonly string[],
): ToolDefinition {
  return {
    name,
    method,
    description,
    input_schema: { type: 'object', properties, required, additionalProperties: false },
  }
}
