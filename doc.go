// Package clicknps is a client of two Net Promoter Score services, ClickNPS and SalesOS NPS Surveys. Package
// [github.com/clicknps/go-sdk/clicknpstest] is a fake of both, to test code against that uses this one.
//
// # Constructing
//
// [New] makes a [Client]. Its credentials come from options, or from the environment (CLICKNPS_API_KEY; SALESOS_TOKEN or
// SALESOS_API_KEY). One client serves all goroutines.
//
//	client, err := clicknps.New()
//
// # Calling
//
// Every endpoint is a method of one of the client's services. Params are pointers to structs; in those that update, a nil field
// is left as it is. An answer has the fields that this SDK knows, and RawJSON with all that the server sent;
// [WithExtraField] sends a field that this SDK does not know.
//
//	survey, err := client.Surveys.Create(ctx, &clicknps.SurveyCreateParams{
//		Name:     "Onboarding",
//		Question: "How likely are you to recommend us?",
//	})
//
// # Listing
//
// List returns one [Page]. All walks the whole list, and fetches pages as they are needed ([WithPrefetch]: ahead):
//
//	for response, err := range client.Responses.All(ctx, nil) {
//		if err != nil {
//			return err
//		}
//		fmt.Println(response.Score)
//	}
//
// Others may create and delete items meanwhile. As long as the server's order is stable, each item that exists from
// the walk's start to its end is handed over exactly once, in order; one that is created or deleted meanwhile at most once.
// If that can't be kept the walk ends with [ErrListChanged], never with a gap. If the order itself changes (in a list by name,
// an item is renamed), an item may be missed. A walk keeps up to 14 bytes for each item; two of a million ids are
// taken for one with a probability of 3·10⁻⁸.
//
// [WithBookmark] lets a walk be taken up later, exact for what comes after the item that it was left at; [Collect] makes a
// slice of a small list.
//
// # Errors
//
// Every error of a call is an [*Error] in its chain, with what the server said; [errors.Is] tells by the sentinels what it is:
//
//	switch {
//	case errors.Is(err, clicknps.ErrNotFound):
//	case errors.Is(err, clicknps.ErrRateLimited):
//		if e, ok := errors.AsType[*clicknps.Error](err); ok {
//			later(e.RetryAfter)
//		}
//	}
//
// A call that can't be right fails with [ErrInvalidParams] and is not sent.
//
// # Repeating
//
// Calls are repeated by a [RetryPolicy] where a repeat is safe. Each POST to ClickNPS bears an idempotency key, the same
// in all repeats of the call. SalesOS knows none: a POST there whose answer is lost fails with [ErrOutcomeUnknown].
// A wait that the server asks for is kept, by all goroutines, and never begun if the context's deadline comes first.
//
// # Keeping within a quota
//
// [WithPlan] paces ClickNPS calls so that the server need not refuse any. SalesOS calls are paced by what its answers tell.
// Told of no plan, a client learns from the first refusals how many requests are let in, and keeps to that.
// A program can say beforehand what is left, and how long it will take ([Client.Quotas], [NPSService.Quotas]):
//
//	requests := (page.Pagination.Total + 99) / 100
//	fmt.Println(requests, "requests,", client.EstimateWait(requests).Round(time.Minute))
//
// While calls wait for room, walks by All, exports and calls [WithBulk] let others go first, and [WithReserve] keeps a
// part of the hour for the others. Module github.com/clicknps/go-sdk/redisstore keeps one quota for a whole fleet.
//
// # Receiving webhooks
//
// A [WebhookVerifier] checks a delivery's signature and its signed timestamp, and handles each event once:
//
//	verifier, err := clicknps.NewWebhookVerifier([]string{os.Getenv("CLICKNPS_WEBHOOK_SECRET")})
//	mux.Handle("/webhooks/clicknps", verifier.Handler(func(ctx context.Context, e *clicknps.Event) error { … }))
//
// When the function returns an error or panics, the sender is told and delivers the event again. The sender gives up
// waiting after some seconds. If the work takes longer, let the function store the event (a database, a durable queue)
// and work later; what it returned nil for is yours. Where losing events in a crash is acceptable,
// [WebhookVerifier.Queue] acknowledges first and works in the background: it answers 503 when full, repeats what fails,
// and its Shutdown, after that of the HTTP server, waits until everything it accepted is dealt with. In tests,
// [SignWebhook] signs a body as ClickNPS does.
//
// # Testing
//
//	srv := clicknpstest.Run(t)
//	client := srv.Client()
//
// The fake keeps state, limits, idempotency keys and faults as the services do. In a [testing/synctest] bubble a wait of
// a minute takes no time.
package clicknps
