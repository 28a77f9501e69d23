// Package redisstore lets any number of processes share what package [github.com/clicknps/go-sdk] keeps for one: the
// quota of an account ([Limiter]) and the webhook events that were handled ([Deduper]). It needs a Redis of version 7
// or newer, alone, with replicas, or a cluster, and a client of github.com/redis/go-redis/v9, which stays the caller's
// to close.
//
//	rdb := redis.NewUniversalClient(&redis.UniversalOptions{Addrs: []string{"localhost:6379"}})
//	limiter, err := redisstore.NewLimiter(rdb, "clicknps", clicknps.PlanPro)
//	client, err := clicknps.New(clicknps.WithRateLimiter(limiter))
//
//	deduper, err := redisstore.NewDeduper(rdb, "clicknps:events:")
//	verifier, err := clicknps.NewWebhookVerifier(secrets, clicknps.WithDeduper(deduper))
//
// # What a Limiter promises
//
// No window of a minute or an hour, wherever it begins, sees more requests arrive than the plan allows, as long as
// every process has the same plan and Redis keeps what it was told. A slot is free again one window after its request
// was answered. If its process dies, the request counts as answered at the end of its lease ([WithAttemptTimeout]).
// Time is Redis' own.
//
// Each quota is one key, "{<key>}:slots", in one hash slot, which expires when it no longer matters. It takes about 100
// bytes for each request of the last hour. Each visit of Redis is one script, and serves all requests that wait at that
// time and all answers that have come; a process that is busy leases some slots ahead while there are plenty, and gives
// back within a second what it did not use.
//
// # Who goes first
//
// In one process, interactive requests go before bulk ones: those of a walk by All, of an export, or made with
// [clicknps.WithBulk]. Among processes it is chance who goes first, so that the bulk requests of one can keep the
// interactive ones of another waiting. [WithReserve] keeps a part of the hour for interactive requests, whichever process
// they come from.
//
// [Limiter.Quotas] tells what is left for the whole fleet, and [Limiter.EstimateWait] how long many requests will take,
// before they begin. Either is one visit of Redis.
//
// # What to expect of a Limiter when Redis fails
//
// Redis does not answer within two seconds, or with an error: what [WhenAway] says.
//
// Redis comes back without its memory (a restart without persistence, an old snapshot, an eviction, a FLUSHALL) or
// without its last writes (a failover to a replica, which Redis does not wait for): the first process that misses the
// slot it has used last counts as many requests as the fleet may have made. For a minute nothing is sent, and the hour
// loses up to two minutes' requests. Until such a process comes, or if none is left that has used a slot within the last
// hour, as many requests as were lost can be sent too many. A failover that loses nothing costs nothing.
//
// A replica is promoted while its master still answers some clients (a partition): until they leave it, each of the two
// keeps a quota of its own. A master with min-replicas-to-write refuses, which is an error as above.
//
// Redis' clock jumps (a step by NTP, a new master or another node of a cluster with another clock): windows are too
// short by as much as it jumps ahead, once. A slow clock (7 ppm) is allowed for.
//
// Part of the processes can't reach Redis: with [Stop] the promise holds. With [FairShare] the others do not know what
// these send until they are back, and the fleet may send up to their share too many.
//
// # What to expect of a Deduper when Redis fails
//
// While Redis is away each Claim fails, the delivery is answered 500, and the sender delivers it again. A claim that
// Redis loses (see above) lets an event be handled twice. A claim whose answer was lost, and which could not be
// released either, stays until it expires; the process that made it can claim it again, others take the event for
// handled. A process that dies while it handles an event leaves it claimed: delete its key, the prefix and the event's
// key, to let it in again.
//
// A Redis whose maxmemory-policy evicts keys is not fit for either.
package redisstore
