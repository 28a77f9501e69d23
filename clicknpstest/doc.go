// Package clicknpstest fakes ClickNPS and SalesOS NPS Surveys, for tests of code that calls them.
//
//	srv := clicknpstest.Run(t)
//	survey := srv.AddSurvey(clicknps.Survey{Name: "Onboarding"})
//	srv.Respond(survey.ID, "user_42", 9, "Loving it")
//	srv.Inject(clicknpstest.Fault{Path: "/responses", Status: 503, Times: 2})
//
//	err := report(t.Context(), srv.Client()) // your code
//
//	require.NoError(t, err)
//	require.Len(t, srv.Requests(), 3)
//
// # Behaviour
//
// The fake holds its state in memory and answers as the documents of both services say, down to
// status, headers and error bodies. Where they are silent, it does what the public ClickNPS server
// was observed to do. Where neither is known, it is strict, and it decides so: a ClickNPS DELETE
// answers 200 with {"id":…,"deleted":true}, adding a comment answers 200, and responses outlive
// their ClickNPS survey. Bodies over 10 MiB are refused with 413.
//
// The public ClickNPS server differs from its documents, which the fake follows:
//   - Errors are {"error":"text"}, without type and field. Keys begin with ck_, webhook secrets
//     with whk_.
//   - Survey ids are lower case. An id of more than 255 characters is answered 500; the fake
//     answers 400.
//   - The redirect_url of a mint is ignored; the redirect of the survey's own settings is used.
//   - A comment that comes after the delivery is stored and never delivered. The fake delivers it
//     as response.updated, which is what the documents call it.
//   - A webhook's secret can be rotated. Deliveries under way are still signed with the old one, for
//     up to 45 h. The fake has one secret.
//   - Deliveries start up to 10 s late, because a worker looks for them every 10 s.
//
// The fake shares these quirks of the server, so that tests can meet them:
//   - HEAD and POST on a link count as clicks. Mail scanners send them.
//   - Minting again returns the same links, also after they have expired: look at ExpiresAt.
//   - A delivery names neither an event nor an id, and each attempt has a timestamp of its own.
//
// # Webhooks
//
// A click is delivered 180 s later as a flat response.created. Each comment before that starts the
// 180 s anew and is part of the delivery. A comment after it is delivered at once as a
// response.updated envelope, and so is survey.completed, when the number given to
// [Server.SetTarget] is reached. The webhook's URL and secret are those of the click: a webhook
// that is made later hears nothing of it, and one that is deleted hears nothing more.
//
// A receiver has 20 s to answer. Redirects are followed with the same POST. Anything but a 2xx is
// retried after 5 min, 30 min, 2 h, 6 h, 12 h and 24 h: seven attempts. Up to five deliveries that
// are due together are made concurrently, in no order.
//
// # Time
//
// The fake's time is [time.Now] plus everything given to [Server.Advance]. Rate windows end,
// tokens and links expire, and deliveries fall due by it. X-RateLimit-Reset and the timestamps of
// deliveries are in time.Now, because clients and receivers compare them with their own clocks.
//
// Advance does not end a wait of the client. In a [testing/synctest] bubble the clocks of both
// move together. Create the fake inside the bubble, and do not use [Server.URL], which listens on
// a loopback port; all else works in process.
//
//	synctest.Test(t, func(t *testing.T) {
//		srv := clicknpstest.Run(t, clicknpstest.WithPlan(clicknps.Plan{PerMinute: 1}))
//		client := srv.Client()
//		for range 2 { // the second call waits for a minute, which takes microseconds
//			_, err := client.Surveys.List(t.Context(), nil)
//			require.NoError(t, err)
//		}
//	})
package clicknpstest
