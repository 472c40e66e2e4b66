// Loaded into keymux before it starts: writes what callers send to its gateway, as JSON lines, to RECORD_TO.
const http = require('node:http')
const { appendFileSync } = require('node:fs')

const file = process.env.RECORD_TO
// The agent is not to hear of it.
delete process.env.RECORD_TO

if (file !== undefined) {
  const { emit } = http.Server.prototype
  http.Server.prototype.emit = function (type, ...args) {
    if (type === 'request') record(args[0], args[1])
    return emit.call(this, type, ...args)
  }
}

function record(request, response) {
  const chunks = []
  const { push } = request
  request.push = function (chunk, encoding) {
    if (chunk !== null) chunks.push(Buffer.from(chunk))
    return push.call(this, chunk, encoding)
  }
  response.once('close', () => {
    const { method, url, rawHeaders } = request
    const body = Buffer.concat(chunks).toString('base64')
    appendFileSync(
      file,
      `${JSON.stringify({ method, url, rawHeaders, body, status: response.statusCode })}\n`,
    )
  })
}
