import type { IncomingMessage, ServerResponse } from 'node:http'
import { ERROR_CODES } from '../../domain/errors.js'
import type { Tools } from '../../domain/tools.js'
import { TOOL_DEFINITIONS, type ToolMethod } from '../../operations/tool-definitions.js'
import { refuse, sendJson } from './answers.js'
import { isRefusal, readObject } from './json-body.js'
import { type Refusal, refusal } from './refusal.js'

const NOT_FOUND = refusal(404, 'keymux_not_found', 'the gateway has no such resource under /api')
const READ_ONLY = refusal(403, 'keymux_read_only', 'this gateway lets nobody change accounts')

/** One call of a tool, and the status of its success. */
interface Call {
  readonly method: ToolMethod | 'update'
  readonly args: object
  readonly status: number
}

interface Route {
  readonly method: string
  readonly path: RegExp
  call(id: string, body: Readonly<Record<string, unknown>>, query: URLSearchParams): Call | undefined
}

/** Resources over the tools that agents have; `export` is refused, whoever asks. */
const ROUTES: readonly Route[] = [
  {
    method: 'GET',
    path: /^\/profiles$/,
    call: (_id, _body, query) => ({ method: 'list', args: filterOf(query), status: 200 }),
  },
  { method: 'POST', path: /^\/profiles$/, call: (_id, body) => ({ method: 'add', args: body, status: 201 }) },
  {
    method: 'PATCH',
    path: /^\/profiles\/([^/]+)$/,
    call: (id, body) => patchOf(id, body),
  },
  {
    method: 'DELETE',
    path: /^\/profiles\/([^/]+)$/,
    call: (id) => ({ method: 'delete', args: { profile_id: id }, status: 200 }),
  },
  {
    method: 'POST',
    path: /^\/profiles\/([^/]+)\/test$/,
    call: (id) => ({ method: 'test', args: { profile_id: id }, status: 200 }),
  },
  { method: 'GET', path: /^\/providers$/, call: () => ({ method: 'providers', args: {}, status: 200 }) },
  {
    method: 'POST',
    path: /^\/tools\/([^/]+)$/,
    call: (name, body) => {
      const tool = TOOL_DEFINITIONS.find((definition) => definition.name === name)
      return tool === undefined ? undefined : { method: tool.method, args: body, status: 200 }
    },
  },
]

/** Serves `/api/…`. Whoever gets here has shown the token. @param readOnly nothing may be changed */
export async function serveApi(
  request: IncomingMessage,
  response: ServerResponse,
  { path, query }: { readonly path: string; readonly query: string },
  tools: Tools,
  readOnly = false,
): Promise<void> {
  if (request.method === 'GET' && path === '/tools') {
    return sendJson(response, 200, { tools: TOOL_DEFINITIONS })
  }
  const matching = ROUTES.filter((route) => route.path.test(path))
  const route = matching.find(({ method }) => method === request.method)
  if (route === undefined) {
    return refuse(response, 'openai', matching.length === 0 ? NOT_FOUND : wrongMethod(matching))
  }
  if (readOnly && request.method !== 'GET') return refuse(response, 'openai', READ_ONLY)
  const body = request.method === 'GET' ? {} : await readObject(request)
  if (isRefusal(body)) return refuse(response, 'openai', body)
  const id = decodeId(route.path.exec(path)?.[1])
  const call = id === undefined ? undefined : route.call(id, body, new URLSearchParams(query))
  if (call === undefined) return refuse(response, 'openai', NOT_FOUND)
  const { method, args } = call
  const result =
    method === 'update' ? await tools.update(args as never) : await tools.call(toolName(method), args)
  const changed =
    request.method !== 'GET' && 'profile_id' in args && 'success' in result && result.success === true
  const shown = changed ? { profile_id: args.profile_id, ...result } : result
  sendJson(response, statusOf(result, call.status), shown)
}

function wrongMethod(routes: readonly Route[]): Refusal {
  return refusal(405, 'keymux_method_not_allowed', 'this resource does not take this method', {
    allow: routes.map(({ method }) => method).join(', '),
  })
}

/** `enabled` and `priority`, one or both. Anything else is told by the tool. */
function patchOf(id: string, { enabled, ...body }: Readonly<Record<string, unknown>>): Call {
  const args = { ...(enabled === undefined ? {} : { enable: enabled }), ...body, profile_id: id }
  if (!('enable' in args)) return { method: 'setPriority', args, status: 200 }
  return { method: 'priority' in args ? 'update' : 'enable', args, status: 200 }
}

function filterOf(query: URLSearchParams): object {
  const { enabled, ...rest } = Object.fromEntries(query)
  if (enabled === undefined) return rest
  // Anything but a truth value is told by the tool itself.
  return { ...rest, enabled: enabled === 'true' ? true : enabled === 'false' ? false : enabled }
}

function toolName(method: ToolMethod): string {
  return TOOL_DEFINITIONS.find((definition) => definition.method === method)?.name ?? method
}

/** What an exit status of the command line is in HTTP. */
const STATUS_OF_EXIT: Readonly<Record<number, number>> = { 2: 400, 3: 503, 4: 404, 5: 503, 7: 409, 8: 503 }

function statusOf(result: object, success: number): number {
  if (!('success' in result) || result.success !== false || !('code' in result)) return success
  const { code } = result
  if (code === 'reveal_refused' || code === 'endpoint_refused') return 403
  const exit =
    typeof code === 'string' && code in ERROR_CODES ? ERROR_CODES[code as keyof typeof ERROR_CODES] : 1
  return STATUS_OF_EXIT[exit] ?? 500
}

function decodeId(segment: string | undefined): string | undefined {
  if (segment === undefined) return ''
  try {
    return decodeURIComponent(segment)
  } catch {
    return undefined
  }
}
