package otelclicknps

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strconv"

	"github.com/clicknps/go-sdk"
)

// attemptErrorType returns the error.type of an attempt. It is empty for success.
func attemptErrorType(status int, err error) string {
	switch {
	case status >= 400:
		return strconv.Itoa(status)
	case status == 0 || err != nil:
		return causeErrorType(err)
	}
	return ""
}

// callErrorType returns the error.type of a call. It is empty for success.
func callErrorType(err error) string {
	status := 0
	if e, ok := errors.AsType[*clicknps.Error](err); ok {
		status = e.StatusCode
	}
	switch cause := causeErrorType(err); {
	case err == nil:
		return ""
	case errors.Is(err, clicknps.ErrOutcomeUnknown):
		return "outcome_unknown"
	case errors.Is(err, clicknps.ErrMissingCredentials):
		return "missing_credentials"
	case errors.Is(err, clicknps.ErrInvalidParams):
		return "invalid_params"
	case status >= 300:
		return strconv.Itoa(status)
	case errors.Is(err, clicknps.ErrRateLimited):
		return "rate_limited"
	case status >= 200 && cause == other:
		return "invalid_response"
	default:
		return cause
	}
}

// other is OpenTelemetry's error.type for what has no name.
const other = "_OTHER"

// causeErrorType returns the error.type of an error that is not the server's.
func causeErrorType(err error) string {
	timeout, ok := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.Is(err, context.DeadlineExceeded), ok && timeout.Timeout():
		return "timeout"
	case has[*net.DNSError](err):
		return "name_resolution_error"
	case has[*tls.CertificateVerificationError](err):
		return "server_certificate_invalid"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "response_ended"
	case has[*net.OpError](err):
		return "connection_error"
	}
	return other
}

func has[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}
