import type { FastifyReply } from 'fastify'

/** Adds a field's name to Vary, once; what varies on everything says it all already. */
export function addVary (reply: FastifyReply, name: string): void {
  const present = reply.getHeader('vary')
  if (present === undefined) {
    reply.header('vary', name)
    return
  }
  const text = String(present)
  const names = text.split(',').map((part) => part.trim().toLowerCase())
  if (!names.includes('*') && !names.includes(name.toLowerCase())) reply.header('vary', text.trim() === '' ? name : `${text}, ${name}`)
}
