package clicknpstest

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const tokenLifetime = 24 * time.Hour

// SalesOSToken returns a new JWT for SalesOS. It expires 24 hours from now, in the fake's time.
func (s *Server) SalesOSToken() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	issued, expiry := s.now(), s.now().Add(tokenLifetime)
	payload := fmt.Sprintf(`{"sub":"user_1","email":"user@example.com","jti":%q,"iat":%d,"exp":%d}`,
		s.store.newUUID(), issued.Unix(), expiry.Unix())
	encode := base64.RawURLEncoding.EncodeToString
	// The signature is a random one. SalesOS knows the tokens that it has issued.
	token := strings.Join([]string{
		encode([]byte(`{"alg":"HS256","typ":"JWT"}`)), encode([]byte(payload)), encode([]byte(s.store.newToken())),
	}, ".")
	s.store.tokens[token] = expiry.Truncate(time.Second)
	return token
}

// salesOS does before next what every SalesOS endpoint does: check the rate limit and the
// credentials.
func (s *Server) salesOS(req *request, next handler) answer {
	who, ok := s.authenticate(req.Header)
	header, refused := s.useSalesOSLimit(who)
	var a answer
	switch {
	case refused:
		a = failure(req, http.StatusTooManyRequests, "")
	case !ok:
		a = failure(req, http.StatusUnauthorized, "")
	default:
		a = next(s, req)
	}
	maps.Copy(a.header, header)
	return a
}

// authenticate names whose limit a request counts against, and reports whether it is let in.
// Wrong credentials share one limit, so that they take no memory.
func (s *Server) authenticate(h http.Header) (who string, ok bool) {
	switch h.Get("X-API-Key") {
	case salesOSKey:
		return "key", true
	case "":
		token, isBearer := strings.CutPrefix(h.Get("Authorization"), "Bearer ")
		if expiry, ok := s.store.tokens[token]; ok && isBearer {
			return "user", s.now().Before(expiry)
		}
	}
	return "nobody", false
}

// useSalesOSLimit counts a request, and returns the header that its answer bears.
func (s *Server) useSalesOSLimit(who string) (header http.Header, refused bool) {
	if s.salesOSLimit <= 0 {
		return nil, false
	}
	left, rest := s.hit("SalesOS "+who, time.Minute, s.salesOSLimit)
	reset := time.Now().Add(rest + time.Second - 1) // in the client's time; Unix rounds down
	header = http.Header{}
	header.Set("X-RateLimit-Limit", strconv.Itoa(s.salesOSLimit))
	header.Set("X-RateLimit-Remaining", strconv.Itoa(max(left, 0)))
	header.Set("X-RateLimit-Reset", strconv.FormatInt(reset.Unix(), 10))
	if left < 0 {
		header.Set("Retry-After", strconv.Itoa(seconds(rest)))
	}
	return header, left < 0
}

// salesOSError answers message, a string or a list of strings.
func salesOSError[M string | []string](status int, message M, kind string) answer {
	return jsonAnswer(status, struct {
		StatusCode int    `json:"statusCode"`
		Message    M      `json:"message"`
		Error      string `json:"error,omitempty"`
	}{status, message, kind})
}
