// Package clicknps calls two Net Promoter Score services: ClickNPS and SalesOS NPS Surveys.
// Package webhook receives the deliveries of ClickNPS. Package clicknpstest fakes both services in
// tests.
//
// # Calls
//
// [New] returns a [Client] with a method for each endpoint. Credentials come from the environment
// or from options:
//
//	client, err := clicknps.New()
//	if err != nil {
//		return err
//	}
//	survey, err := client.Surveys.Get(ctx, "survey_abc123")
//
// [Client.Do] calls an endpoint that this SDK does not know. [WithQuery] and [WithExtraField] send
// what it does not know, and [WithRawJSON] keeps it.
//
// # Errors
//
// A method that fails returns an [*Error]. Use [errors.Is] with a sentinel such as [ErrNotFound]
// to find out what went wrong. A call that can't be right is not sent and fails with
// [ErrInvalidParams]. A POST that may or may not have taken effect fails with [ErrOutcomeUnknown].
//
// # Lists
//
// List returns one [Page]. All walks the whole list and fetches pages as the loop needs them. The
// params of either may be nil.
//
//	for response, err := range client.Responses.All(ctx, nil) {
//		if err != nil {
//			return err
//		}
//		fmt.Println(response.Score)
//	}
//
// A walk of a ClickNPS list yields each item that exists from the start to the end of the walk
// exactly once, whatever others create or delete meanwhile, and any other item at most once. If it
// can't be exact, it ends with [ErrListChanged]. It begins at the Offset of the params and fetches
// pages of Limit items. It keeps at most 16 bytes for each item.
//
// A walk of a SalesOS list yields items as they arrive. It fetches another page where
// X-Total-Count says that there is more, and walks again to find what it missed where that total
// changes. An answer that breaks off after its first byte ends the walk with an error.
//
// # Retries and quotas
//
// [RetryPolicy] says what is retried and when. Each POST to ClickNPS has an idempotency key, the
// same in all attempts of a call. [WithPlan] keeps ClickNPS calls within a plan. SalesOS calls are
// paced by the X-RateLimit headers of the answers. Module github.com/clicknps/go-sdk/redisstore
// shares one quota among processes.
//
// # Tests
//
// In a [testing/synctest] bubble, waits take no time:
//
//	client := clicknpstest.Run(t).Client()
package clicknps
