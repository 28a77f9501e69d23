package clicknpstest

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	clicknps "github.com/clicknps/go-sdk"
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
func (s *Server) salesOS(req *request, next handler) (a answer) {
	who, ok := s.authenticate(req.Header)
	left, header := 0, http.Header{}
	if s.salesOSLimit > 0 {
		var rest time.Duration
		left, rest = s.hit("SalesOS "+who, time.Minute, s.salesOSLimit)
		reset := time.Now().Add(rest + time.Second - 1) // in the client's time; Unix rounds down
		suffix, resetsAt := "", strconv.FormatInt(reset.Unix(), 10)
		if s.throttler != "" {
			suffix, resetsAt = "-"+s.throttler, strconv.Itoa(seconds(rest))
		}
		header.Set("X-RateLimit-Limit"+suffix, strconv.Itoa(s.salesOSLimit))
		header.Set("X-RateLimit-Remaining"+suffix, strconv.Itoa(max(left, 0)))
		header.Set("X-RateLimit-Reset"+suffix, resetsAt)
		if left < 0 {
			header.Set("Retry-After"+suffix, strconv.Itoa(seconds(rest)))
		}
	}
	switch {
	case left < 0:
		a = failure(req, http.StatusTooManyRequests, "")
	case !ok:
		a = failure(req, http.StatusUnauthorized, "")
	default:
		a = next(req)
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

// salesOSError answers message, a string or a list of strings.
func salesOSError[M string | []string](status int, message M, kind string) answer {
	if kind == "" {
		return jsonAnswer(status, `{"statusCode":%s,"message":%s}`, status, message)
	}
	return jsonAnswer(status, `{"statusCode":%s,"message":%s,"error":%s}`, status, message, kind)
}

var (
	npsSurveyFieldNames = []string{"name", "question", "type", "isActive"}
	npsSurveyTypes      = []string{"transactional", "relationship"}
)

func (s *Server) listNPSSurveys(req *request) answer {
	items, header := salesOSPage(s, req, s.store.npsSurveys.items)
	a := jsonAnswer(http.StatusOK, "%s", items)
	maps.Copy(a.header, header)
	return a
}

// salesOSPage returns the items of the page that a request asks for, and the header with their total.
func salesOSPage[T any](s *Server, req *request, items []T) ([]T, http.Header) {
	if s.pageSize == 0 {
		return items, nil
	}
	header := http.Header{"X-Total-Count": {strconv.Itoa(len(items))}}
	number, _ := strconv.Atoi(req.URL.Query().Get("page"))
	limit, _ := strconv.Atoi(req.URL.Query().Get("limit"))
	limit = min(cmp.Or(max(limit, 0), s.pageSize), 100)
	start := min((max(number, 1)-1)*limit, len(items))
	return items[start:min(start+limit, len(items))], header
}

// blankNPSSurvey has what SalesOS fills in.
func blankNPSSurvey(id string, createdAt time.Time) npsSurvey {
	return npsSurvey{
		ID: id, Type: clicknps.NPSTransactional, IsActive: true, CreatedAt: createdAt, UpdatedAt: createdAt,
	}
}

func (s *Server) createNPSSurvey(req *request) answer {
	return s.saveNPSSurvey(req, blankNPSSurvey(s.store.newUUID(), s.instant()), http.StatusCreated)
}

// updateNPSSurvey is PATCH and PUT. A PUT begins with a blank survey.
func (s *Server) updateNPSSurvey(req *request, sv *npsSurvey) answer {
	changed := *sv
	if req.Method == http.MethodPut {
		changed = blankNPSSurvey(sv.ID, sv.CreatedAt)
	}
	changed.UpdatedAt = s.instant()
	return s.saveNPSSurvey(req, changed, http.StatusOK)
}

func (s *Server) deleteNPSSurvey(_ *request, sv *npsSurvey) answer {
	s.store.npsSurveys.remove(sv.ID)
	s.removeResponsesTo(sv.ID)
	return answer{status: http.StatusNoContent, header: http.Header{}}
}

// toggleNPSSurvey needs no body, and ignores one.
func (s *Server) toggleNPSSurvey(_ *request, sv *npsSurvey) answer {
	sv.IsActive, sv.UpdatedAt = !sv.IsActive, s.instant()
	return jsonAnswer(http.StatusCreated, "%s", sv)
}

func (s *Server) removeResponsesTo(id string) {
	s.store.npsResponses = slices.DeleteFunc(s.store.npsResponses, func(r npsResponse) bool {
		return r.SurveyID == id
	})
}

// saveNPSSurvey stores sv with what the body of req names, and answers it with status. No body at
// all counts as an empty object.
func (s *Server) saveNPSSurvey(req *request, sv npsSurvey, status int) answer {
	if len(req.body) > 0 {
		if problem := req.readFields(); problem != "" {
			return salesOSBadRequest(problem)
		}
	}
	var problems []string
	f := req.fields
	require := func(ok bool, problem string) {
		if !ok {
			problems = append(problems, problem)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(f)) {
		require(slices.Contains(npsSurveyFieldNames, name), "property "+name+" should not exist")
	}
	hadName, isString := sv.Name != "", take(f, "name", &sv.Name)
	require(isString && (f["name"] != nil || hadName), "name must be a string")
	require(!isString || strings.TrimSpace(sv.Name) != "", "name should not be empty")
	require(take(f, "question", &sv.Question), "question must be a string")
	isType := take(f, "type", &sv.Type) && slices.Contains(npsSurveyTypes, string(sv.Type))
	require(isType, "type must be one of the following values: "+strings.Join(npsSurveyTypes, ", "))
	require(take(f, "isActive", &sv.IsActive), "isActive must be a boolean value")
	if problems != nil {
		return salesOSBadRequest(problems...)
	}
	s.store.npsSurveys.put(sv.ID, &sv)
	return jsonAnswer(status, "%s", sv)
}

func salesOSBadRequest(problems ...string) answer {
	return salesOSError(http.StatusBadRequest, problems, "Bad Request")
}

// measure computes the metrics of the responses that have a score.
func measure(responses []npsResponse) (t clicknps.Tally, average float64) {
	sum := 0
	for _, r := range responses {
		_ = t.Add(r.Score) // scores were checked when they were added
		sum += max(r.Score, 0)
	}
	return t, float64(sum) / float64(max(t.Total(), 1))
}

func metricsOf(responses []npsResponse) json.RawMessage {
	t, average := measure(responses)
	return jsonf(`{"npsScore":%s,"promoters":%s,"passives":%s,"detractors":%s,"totalResponses":%s,`+
		`"averageScore":%s}`, t.NPS(), t.Promoters, t.Passives, t.Detractors, t.Total(), average)
}

func (s *Server) npsMetrics(*request) answer {
	return jsonAnswer(http.StatusOK, "%s", metricsOf(s.store.npsResponses))
}

func (s *Server) npsStats(*request) answer {
	active := 0
	for _, sv := range s.store.npsSurveys.items {
		if sv.IsActive {
			active++
		}
	}
	t, average := measure(s.store.npsResponses)
	return jsonAnswer(http.StatusOK, `{"totalSurveys":%s,"activeSurveys":%s,"totalResponses":%s,`+
		`"averageScore":%s}`, len(s.store.npsSurveys.items), active, t.Total(), average)
}

// responsesTo are the responses to a SalesOS survey.
func (s *Server) responsesTo(sv *npsSurvey) []npsResponse {
	found := []npsResponse{}
	for _, r := range s.store.npsResponses {
		if r.SurveyID == sv.ID {
			found = append(found, r)
		}
	}
	return found
}

func (s *Server) npsResponses(req *request, sv *npsSurvey) answer {
	found := s.responsesTo(sv)
	items, header := salesOSPage(s, req, found)
	a := jsonAnswer(http.StatusOK, `{"data":%s,"metrics":%s}`, items, metricsOf(found))
	maps.Copy(a.header, header)
	return a
}

func (s *Server) exportNPSResponses(req *request, sv *npsSurvey) answer {
	var a answer
	responses, format := s.responsesTo(sv), req.URL.Query().Get("format")
	switch format {
	case "csv":
		var buf bytes.Buffer
		w := csv.NewWriter(&buf)
		_ = w.Write([]string{"id", "surveyId", "score", "comment", "email", "createdAt"})
		for _, r := range responses {
			value := ""
			if r.Score != clicknps.NoScore {
				value = strconv.Itoa(r.Score)
			}
			_ = w.Write([]string{
				r.ID, r.SurveyID, value, r.Comment, r.Email, r.CreatedAt.Format(isoMillis),
			})
		}
		w.Flush() // a buffer takes everything
		a = textAnswer(http.StatusOK, "text/csv; charset=utf-8", buf.String())
	case "json":
		a = jsonAnswer(http.StatusOK, "%s", responses)
	default:
		return salesOSBadRequest("format must be one of the following values: csv, json")
	}
	a.header.Set("Content-Disposition", `attachment; filename="nps-responses.`+format+`"`)
	return a
}
