import type { FastifyContextConfig, FastifyInstance } from 'fastify'
import 'fastify-headroom/slow-request'

declare const app: FastifyInstance

void ({ slowRequest: { threshold: '250ms' } } satisfies FastifyContextConfig)
void ({ slowRequest: { threshold: 250 } } satisfies FastifyContextConfig)
void ({ slowRequest: true } satisfies FastifyContextConfig)
void ({ slowRequest: false } satisfies FastifyContextConfig)
// @ts-expect-error a misspelt option
void ({ slowRequest: { treshold: '250ms' } } satisfies FastifyContextConfig)
// @ts-expect-error a misspelt key
void ({ slowRequests: { threshold: '250ms' } } satisfies FastifyContextConfig)
// @ts-expect-error a value of another type
void ({ slowRequest: 'yes' } satisfies FastifyContextConfig)

// In the route itself Fastify infers `config` from what is written, so a mistake compiles and stops the boot instead.
app.get('/', { config: { slowRequest: { threshold: '250ms' } } }, async () => 'hello')
