/*
 * What providers and what stands before them have been seen to say, whatever the matter was. None of these has a
 * documented code: they may mean anything.
 */

/** Something that is said, in any status. */
export const LOOSE_WORDS: readonly string[] = [
  'This model is not available for your organisation.',
  'The requested feature is not enabled for this workspace (req_@).',
  'Request could not be completed, trace @.',
  'Unsupported combination of options.',
  'not supported in your plan tier',
  'Error processing request @',
  'Invalid request.',
  'messages.1.content: expected a different shape',
  'Your request was rejected. Contact support and quote @.',
  'invalid params',
  'unprocessable entity',
  'You are not allowed to do this.',
  'permission denied for this operation',
  'Access denied.',
  'This operation is forbidden for your key',
  'Insufficient permissions for this operation.',
  'Unauthorized',
  'authentication failed',
  'Your account has been flagged for review @',
  'Payment method needs attention',
  'please check your plan and billing details',
  'quota exceeded for this request',
  'Something went wrong while checking your balance.',
  'The model `@` does not exist or you do not have access to it.',
  'no such model for this account',
  'Too many requests.',
  'rate limit',
  'The service is busy, please retry.',
  'upstream connect error or disconnect/reset before headers',
  'internal error @',
  'timeout while waiting for a worker',
  '请求参数错误',
  '当前账户不支持该功能，请求编号 @',
  '请求失败，请稍后再试',
  '无权限',
  '模型暂时不可用',
  '系统繁忙',
]

/** What is said of content that a provider does not want. */
export const CONTENT_WORDS: readonly string[] = [
  'Your request was flagged by our usage policy.',
  'Output blocked by content filtering policy',
  'The response was filtered due to the prompt triggering content management policy (@).',
  'Request rejected by the safety system. If you believe this is an error, quote @.',
  'Input data may contain inappropriate content.',
  'This prompt was stopped by moderation',
  'sensitive words detected',
  '系统检测到输入内容可能包含不安全或敏感内容，请您修改后重试',
  '输入内容未通过安全审核',
]

/** Statuses that any of them comes with, the likelier ones more than once. */
export const LOOSE_STATUSES: readonly number[] = [400, 400, 400, 400, 403, 403, 404, 422, 422, 413]
/** Statuses that say more than they know. */
export const HARSH_STATUSES: readonly number[] = [401, 402, 429, 500, 502]
