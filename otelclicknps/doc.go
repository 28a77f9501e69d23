// Package otelclicknps reports the calls of a [clicknps.Client] and the handling of webhook events
// to OpenTelemetry.
//
//	client, err := clicknps.New(otelclicknps.Options()...)
//	handler := verifier.Handler(otelclicknps.Handler(storeEvent))
//
// # Spans
//
// Each call is a span of kind client, named by its operation, such as "Surveys.Get". Its attributes
// are clicknps.service, clicknps.operation, clicknps.bulk, clicknps.attempts, clicknps.waited (in
// seconds), url.template and, if it fails, error.type. Each page of a walk is a call: start a span
// of your own around the walk to see its pages together.
//
// Each wait of a millisecond or more is an event clicknps.wait of that span, at the time when the
// wait begins, with clicknps.wait.duration (in seconds) and clicknps.wait.reason. The reason is the
// error.type of the attempt before, such as "429", or "permit" before the first attempt: for a
// permit of the limiter, for the end of a pause, or for a credential. A wait in which a call ends
// is no event.
//
// Each attempt is a child span, named as in "GET /surveys/{id}", with OpenTelemetry's attributes
// for HTTP clients: http.request.method, url.template, server.address, server.port,
// http.request.resend_count, http.response.status_code and error.type. It ends with the last byte of
// the answer. Requests bear no trace headers, since the services belong to others.
//
// # Metrics
//
//   - clicknps.call.duration: a histogram of calls, in seconds, by error.type
//   - clicknps.attempt.duration: a histogram of attempts, in seconds, by error.type and
//     http.response.status_code, where 429 counts the refusals by a rate limit; an attempt of
//     NPS.Export counts until its first bytes have come
//   - clicknps.retries: a counter, by clicknps.wait.reason
//   - clicknps.wait.duration: a histogram of waits, in seconds, by clicknps.wait.reason
//   - clicknps.quota.limit and clicknps.quota.left: gauges, see [RegisterQuotas]
//
// All have the attribute clicknps.service, and all but the gauges clicknps.operation. A wait of less
// than a millisecond is not counted.
//
// # Values of error.type
//
// An attempt has the status of its answer, such as "503", or one of canceled, timeout,
// name_resolution_error, server_certificate_invalid, connection_error, response_ended and _OTHER. A
// call may also have one of outcome_unknown, missing_credentials, invalid_params, rate_limited (a
// wait that was not begun) and invalid_response (a 2xx answer that can't be used).
//
// # Privacy
//
// No attribute, event or status has a path, a query, a body, an id, an idempotency key, a secret, or
// the text of an error.
package otelclicknps
