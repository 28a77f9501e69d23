package bench

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
)

// The amounts that every library decodes.
const (
	items      = 100
	itemBytes  = 300
	lastObject = "Survey number 99 after onboarding" // the name of a page's last item, and of the single object
)

// shape describes how a service writes a list and its items.
type shape struct {
	list, object string // their paths
	envelope     string // around the items of a list
	item         string // with its number, name and filling
}

// Each item has a name, a longer text, a state, two times and something nested.
var (
	survey = shape{
		list: "/v1/surveys", object: "/v1/surveys/survey_000099",
		envelope: `{"data":[%s],"pagination":{"total":100,"limit":100,"offset":0,"has_more":false}}`,
		item: `{"id":"survey_%06[1]d","name":%[2]q,"question":%[3]q,"status":"active","created_at":"2025-01-15T10:30:00Z",` +
			`"updated_at":"2025-02-15T10:30:00Z","owner":{"id":"user_000001","team":"customer success"},"tags":["onboarding"]}`,
	}
	githubMilestone = shape{
		list: "/repos/acme/crm/milestones", object: "/repos/acme/crm/milestones/99",
		envelope: `[%s]`,
		item: `{"id":%[1]d,"number":%[1]d,"title":%[2]q,"description":%[3]q,"state":"open","created_at":"2025-01-15T10:30:00Z",` +
			`"updated_at":"2025-02-15T10:30:00Z","creator":{"id":1,"login":"customer-success"},"open_issues":4}`,
	}
	gitlabMilestone = shape{
		list: "/api/v4/projects/1/milestones", object: "/api/v4/projects/1/milestones/99",
		envelope: `[%s]`,
		item: `{"id":%[1]d,"iid":%[1]d,"project_id":1,"title":%[2]q,"description":%[3]q,"state":"active",` +
			`"created_at":"2025-01-15T10:30:00Z","updated_at":"2025-02-15T10:30:00Z","web_url":"https://gitlab.example.com/acme"}`,
	}
	stripeProduct = shape{
		list: "/v1/products", object: "/v1/products/prod_000099",
		envelope: `{"object":"list","url":"/v1/products","has_more":false,"data":[%s]}`,
		item: `{"id":"prod_%06[1]d","object":"product","name":%[2]q,"description":%[3]q,"active":true,"created":1736937000,` +
			`"updated":1739615400,"livemode":false,"metadata":{"team":"customer success"}}`,
	}
	openaiFile = shape{
		list: "/files", object: "/files/file-000099",
		envelope: `{"object":"list","has_more":false,"data":[%s]}`,
		item: `{"id":"file-%06[1]d","object":"file","filename":%[2]q,"status_details":%[3]q,"status":"processed","purpose":"batch",` +
			`"bytes":300,"created_at":1736937000,"expires_at":1739615400}`,
	}
	shapes = []shape{survey, githubMilestone, gitlabMilestone, stripeProduct, openaiFile}
)

// one returns item i, filled up to itemBytes.
func (s shape) one(i int) string {
	name := fmt.Sprintf("Survey number %d after onboarding", i)
	filling := itemBytes - len(fmt.Sprintf(s.item, i, name, ""))
	const question = "How likely are you to recommend us to a friend or colleague? "
	return fmt.Sprintf(s.item, i, name, strings.Repeat(question, 3)[:filling])
}

func (s shape) page() string {
	all := make([]string, items)
	for i := range all {
		all[i] = s.one(i)
	}
	return fmt.Sprintf(s.envelope, strings.Join(all, ","))
}

// serve starts a server that answers for all services.
func serve(tb testing.TB) (url string) {
	mux := http.NewServeMux()
	answer := func(path, body string) {
		data, length := []byte(body), strconv.Itoa(len(body))
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Length", length)
			w.Write(data)
		})
	}
	answer("/", "{}") // some clients send a request of their own before the first call
	for _, s := range shapes {
		answer(s.list, s.page())
		answer(s.object, s.one(items-1))
	}
	srv := httptest.NewServer(mux)
	tb.Cleanup(srv.Close)
	return srv.URL
}
