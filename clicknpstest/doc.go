// Package clicknpstest is a fake of ClickNPS and SalesOS NPS Surveys, for tests of code that calls them.
//
// One line starts it and gives a client that talks to it:
//
//	client := clicknpstest.Run(t).Client()
//
// Keep the [Server] to prepare state, to look at what arrived, and to let things go wrong:
//
//	srv := clicknpstest.Run(t)
//	survey := srv.AddSurvey(clicknps.Survey{Name: "Onboarding"})
//	srv.Respond(survey.ID, "user_42", 9, "Loving it")
//	srv.Inject(clicknpstest.Fault{Path: "/v1/responses", Status: 503, Times: 2})
//
//	err := report(t.Context(), srv.Client()) // your code
//
//	require.NoError(t, err)
//	require.Len(t, srv.Requests(), 3)
//
// # What it is like
//
// The fake holds its state in memory and answers both services as their documents say, down to status,
// headers and error bodies: authentication, quotas, pagination, idempotent replay, validation. It is strict
// where a real server might be. Where the documents are silent, it does this: a ClickNPS DELETE answers 200
// with {"id":…,"deleted":true}, because ClickNPS lists no 204 and says that every response is JSON; adding a
// comment answers 200, because nothing new can be addressed after it; responses outlive their ClickNPS
// survey; links can be minted for any well-formed survey id, as on the public server.
//
// # In process, or over a socket
//
// [Server.Client] and [Server.Transport] call the fake directly: no socket, no goroutine, and so they work in
// a [testing/synctest] bubble, where waiting out a rate limit takes no time at all; create the fake inside the
// bubble. [Server.URL] listens on a loopback port from its first call on, for programs that want an address;
// not for use in a bubble. Faults are the same on both.
//
// # Time
//
// The fake's time is [time.Now] plus everything given to [Server.Advance]: rate windows end, tokens expire,
// webhook deliveries fall due. What a client holds against its own clock (X-RateLimit-Reset, the timestamps
// and created_at of deliveries) is told in [time.Now], whatever was advanced.
//
// # Webhooks
//
// A customer's answer is delivered 180 s after the click, in the flat shape, with the comment if one came in
// that time. A comment that comes later is delivered at once as a response.updated envelope;
// survey.completed follows at once when the number given to [Server.SetTarget] is reached. Anything but a
// 2xx is tried again after 1 min, 5 min, 30 min, 2 h, 6 h, 12 h and 24 h: eight attempts. Deliveries are made
// when time passes, in the background, or by [Server.Advance], which returns when all that are due were
// made. [Server.DeliverTo] hands them to a handler in process.
//
// All methods of [Server] are safe for concurrent use.
package clicknpstest
