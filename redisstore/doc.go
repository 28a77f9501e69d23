// Package redisstore shares the quota of an account ([Limiter]) and the record of handled webhook
// events ([Deduper]) among any number of processes. It needs Redis 7 or newer (one server, a
// master with replicas, or a cluster) and a client of github.com/redis/go-redis/v9, which the
// caller closes.
//
//	rdb := redis.NewUniversalClient(&redis.UniversalOptions{Addrs: []string{"localhost:6379"}})
//	limiter, err := redisstore.NewLimiter(rdb, "clicknps:acme", clicknps.PlanPro)
//	client, err := clicknps.New(clicknps.WithRateLimiter(limiter))
//
//	deduper, err := redisstore.NewDeduper(rdb, "clicknps:acme:events")
//	verifier, err := webhook.NewVerifier(secrets, webhook.WithDeduper(deduper))
//
// # Limiter
//
// No window of a minute or an hour, fixed or sliding, sees more requests than the plan allows, as
// long as every process has the same plan and Redis keeps what it was told. A permit counts from
// its grant until one window after its release. If its process dies, or Redis can't be told, it
// counts until one window after its lease ([WithAttemptTimeout]). A permit that was not used is
// given back at once. Time is Redis' own.
//
// A quota is two keys in one hash slot, "{<key>}:permits" and "{<key>}:grants", which expire when
// they no longer matter. A permit takes about 100 bytes. An Acquire is one script; so is a
// release, which runs in the background. While calls wait, one call of each priority in each
// process asks again, at least once a second.
//
// # When Redis fails
//
// Redis does not answer within two seconds, or answers with an error: [WhenAway] says what
// happens.
//
// Redis comes back without its memory (a restart without persistence, an old snapshot, a
// FLUSHALL) or without its last writes (a failover): the first process that misses its latest
// grant has as many requests counted as may have been made. Nothing is sent for a minute, and the
// hour loses the requests of about two minutes. Until such a process asks, as many requests as
// were lost can be sent too many. A failover that loses nothing costs nothing.
//
// A process that Redis granted nothing within the last hour can't miss anything. It asks how long
// Redis has been up (INFO, which an ACL must allow). If that is less than a minute, a minute's
// requests count as made. So after a start of Redis, a quota that was never used is free only
// after a minute, once. (With a plan that has no limit for a minute, it is an hour.) Such a
// process does not know what a younger Redis has lost of the hour.
//
// Redis' clock is set back: permits count for at most a lease and a window from then on. It is
// set forward: windows are too short by as much, once.
//
// A replica is promoted while its master still answers some clients: each of the two has a quota
// of its own until they leave it. A master with min-replicas-to-write refuses instead, which is
// an error as above.
//
// Some processes can't reach Redis: with [Stop] the promise holds. With [FairShare] the others
// learn what these sent only afterwards, and all together may send up to their shares too many.
//
// # Deduper
//
// While Redis is away, every Claim fails, and the sender delivers the event again. If a process
// dies while it handles an event, the event can be claimed again when the lease ends. If Redis
// loses what it was told, an event can be handled twice.
//
// Neither works with a maxmemory-policy that evicts these keys.
package redisstore
