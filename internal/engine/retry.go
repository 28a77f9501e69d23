package engine

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
)

// verdict is what follows from the outcome of an attempt.
type verdict struct {
	retry     bool
	uncertain bool // the attempt may have taken effect, and no answer says so
}

// judge is the retry table. uncertain says that an earlier attempt of the call may have taken
// effect.
//
//	never sent                              retry
//	broken, timed out or cut off            retry, unless a request that was sent must not be sent again
//	429                                     retry: it changed nothing
//	408, 500, 502–504, 520–527, 529, 530    as broken
//	any other 5xx                           return
//	409 to a retry with an idempotency key  retry: the first attempt is still in progress
//	any other                               return
func judge(call *Call, a *Attempt, uncertain bool) verdict {
	switch {
	case a.final:
		return verdict{uncertain: a.sent}
	case a.Err != nil:
		return verdict{retry: !a.sent || !call.Once, uncertain: a.sent}
	case a.StatusCode == http.StatusTooManyRequests:
		return verdict{retry: true}
	case isTransient(a.StatusCode):
		return verdict{retry: !call.Once, uncertain: true}
	case a.StatusCode >= 500:
		return verdict{uncertain: true}
	case a.StatusCode == http.StatusConflict:
		return verdict{retry: call.Keyed && uncertain}
	}
	return verdict{}
}

// isTransient reports whether a status says that the same request may succeed later.
func isTransient(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusInternalServerError, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	case 529, 530: // overloaded, frozen: Cloudflare and others
		return true
	}
	return 520 <= status && status <= 527 // Cloudflare: the origin failed
}

// isFinal reports whether an error without an answer would come again with every retry.
func isFinal(err error) bool {
	return is[*tls.CertificateVerificationError](err) || is[x509.UnknownAuthorityError](err) ||
		is[x509.HostnameError](err) || is[x509.CertificateInvalidError](err)
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}
