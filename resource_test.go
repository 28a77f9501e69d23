package clicknps_test

import (
	"fmt"
	"maps"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	clicknps "github.com/clicknps/go-sdk"
)

func TestTolerantDecoding(t *testing.T) {
	t.Parallel()
	full := clicknps.Response{ID: "7", SurveyID: "s", SubjectID: "42", Score: 9, Comment: "c", CreatedAt: day}
	for name, tt := range map[string]struct {
		body string
		want clicknps.Response
	}{
		"numbers in strings":      {`{"id":"7","survey_id":"s","subject_id":"42","score":"9","comment":"c","created_at":"2025-01-15T10:30:00Z"}`, full},
		"strings as numbers":      {`{"id":7,"survey_id":"s","subject_id":42,"score":9.0,"comment":"c","created_at":"2025-01-15T10:30:00Z"}`, full},
		"other capitals, doubled": {`{"ID":"1","id":"7","survey_id":"s","subject_id":"42","score":9e0,"comment":"c","created_at":"2025-01-15T12:30:00+02:00"}`, full},
		"null for absent":         {`{"id":"7","survey_id":null,"subject_id":null,"score":null,"comment":null,"created_at":null,"updated_at":null}`, clicknps.Response{ID: "7", Score: clicknps.NoScore}},
		"missing fields":          {`{"id":"7"}`, clicknps.Response{ID: "7", Score: clicknps.NoScore}},
		"unknown fields":          {`{"id":"7","score":3,"labels":{"score":9},"document":1,"origin":{"index":7}}`, clicknps.Response{ID: "7", Score: 3}},
		"a byte order mark":       {"\ufeff" + `{"id":"7"}`, clicknps.Response{ID: "7", Score: clicknps.NoScore}},
		"an empty time":           {`{"id":"7","created_at":""}`, clicknps.Response{ID: "7", Score: clicknps.NoScore}},
		"in an envelope":          {`{"success":true,"data":{"id":"7","score":"3"}}`, clicknps.Response{ID: "7", Score: 3}},
		"spaces around":           {"\r\n\t {\"id\" : \"7\"} \n", clicknps.Response{ID: "7", Score: clicknps.NoScore}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := answering(t, 200, tt.body).Responses.Get(t.Context(), "7")
			require.NoError(t, err)
			got.CreatedAt = got.CreatedAt.UTC()
			assert.JSONEq(t, encode(t, tt.want), encode(t, got))
		})
	}
}

func TestTimes(t *testing.T) {
	t.Parallel()
	for sent, want := range map[string]time.Time{
		`"2025-01-15T10:30:00Z"`:           day,
		`"2025-01-15T10:30:00.5Z"`:         day.Add(500 * time.Millisecond),
		`"2025-01-15T12:30:00+02:00"`:      day,
		`"2025-01-15T12:30:00+0200"`:       day,
		`"2025-01-15T10:30:00"`:            day, // no zone: UTC
		`"2025-01-15T10:30:00.123456"`:     day.Add(123456 * time.Microsecond),
		`"2025-01-15 10:30:00"`:            day,
		`"2025-01-15"`:                     day.Truncate(24 * time.Hour),
		`1736937000`:                       day,
		`1736937000000`:                    day,
		`1736937000.0`:                     day,
		`"2025-01-15T10:30:00.123456789Z"`: day.Add(123456789),
	} {
		t.Run(sent, func(t *testing.T) {
			t.Parallel()
			client := answering(t, 200, `{"id":"s","created_at":`+sent+`,"createdAt":`+sent+`}`)
			survey, err := client.Surveys.Get(t.Context(), "s")
			require.NoError(t, err)
			assert.True(t, want.Equal(survey.CreatedAt), "%v", survey.CreatedAt)
			npsSurvey, err := client.SalesOS.NPS.Get(t.Context(), "s")
			require.NoError(t, err)
			assert.True(t, want.Equal(npsSurvey.CreatedAt), "%v", npsSurvey.CreatedAt)
		})
	}
}

func TestPaginationOfAnySort(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		body string
		want clicknps.Pagination
	}{
		"numbers in strings": {`,"pagination":{"total":"45","limit":"10","offset":"20","has_more":"true"}`, clicknps.Pagination{Total: 45, Limit: 10, Offset: 20, HasMore: true}},
		"no has_more":        {`,"pagination":{"total":3,"limit":1,"offset":1}`, clicknps.Pagination{Total: 3, Limit: 1, Offset: 1, HasMore: true}},
		"no has_more, last":  {`,"pagination":{"total":2,"limit":1,"offset":1}`, clicknps.Pagination{Total: 2, Limit: 1, Offset: 1}},
		"null for limit":     {`,"pagination":{"total":1,"limit":null,"offset":null,"has_more":false}`, clicknps.Pagination{Total: 1}},
		"unknown fields":     {`,"pagination":{"total":1,"has_more":false,"cursor":"x"}`, clicknps.Pagination{Total: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := "\ufeff" + `{"data":[{"id":"s"}]` + tt.body + `}`
			page, err := newWire(reply(200, body)).client(t, clicknps.WithRawJSON()).Surveys.List(t.Context(), nil)
			require.NoError(t, err)
			require.Len(t, page.Data, 1)
			assert.Equal(t, tt.want, page.Pagination)
			assert.JSONEq(t, `{"id":"s"}`, string(page.Data[0].RawJSON))
		})
	}
}

// A server's limit is its own: what All asks for must not be what it makes room for.
func TestHugeLimit(t *testing.T) {
	t.Parallel()
	client := answering(t, 200, `{"data":[{"id":"s"}],"pagination":{"total":1,"limit":100,"offset":0,"has_more":false}}`)
	for survey, err := range client.Surveys.All(t.Context(), &clicknps.SurveyListParams{Limit: math.MaxInt}) {
		require.NoError(t, err)
		assert.Equal(t, "s", survey.ID)
	}
}

func TestUnknownEnumValuesPassBothWays(t *testing.T) {
	t.Parallel()
	w := newWire(reply(200, `{"id":"x","status":"frozen","type":"yearly","events":["survey.frozen"]}`))
	client := w.client(t)
	survey, err := client.Surveys.Update(t.Context(), "x", &clicknps.SurveyUpdateParams{Status: new(clicknps.SurveyStatus("frozen"))})
	require.NoError(t, err)
	assert.Equal(t, clicknps.SurveyStatus("frozen"), survey.Status)
	assert.Equal(t, `{"status":"frozen"}`, w.sent()[0].Body)
	npsSurvey, err := client.SalesOS.NPS.Create(t.Context(), &clicknps.NPSSurveyCreateParams{Name: "n", Type: "yearly"})
	require.NoError(t, err)
	assert.Equal(t, clicknps.NPSSurveyType("yearly"), npsSurvey.Type)
	assert.Equal(t, `{"name":"n","type":"yearly"}`, w.sent()[1].Body)
	hook, err := client.Webhooks.Create(t.Context(), &clicknps.WebhookCreateParams{URL: "https://h", Events: []clicknps.EventType{"survey.frozen"}})
	require.NoError(t, err)
	assert.Equal(t, []clicknps.EventType{"survey.frozen"}, hook.Events)
	assert.Equal(t, `{"url":"https://h","events":["survey.frozen"]}`, w.sent()[2].Body)
}

func TestSalesOSListsInAnyEnvelope(t *testing.T) {
	t.Parallel()
	list := `[{"id":"a","score":"9","isActive":"true"},{"id":"b"}]`
	for name, body := range map[string]string{
		"bare":                  list,
		"bare, spaces":          " \n" + list + "\n",
		"bare, byte order mark": "\ufeff" + list,
		"data":                  `{"data":` + list + `}`,
		"items":                 `{"items":` + list + `,"total":2}`,
		"surveys":               `{"surveys":` + list + `}`,
		"responses":             `{"success":true,"responses":` + list + `}`,
		"results":               `{"results": ` + list + `}`,
		"data and items":        `{"data":{"items":` + list + `}}`,
		"data and surveys":      `{"data":{"surveys":` + list + `,"page":1},"error":null}`,
		"data is null":          `{"data":null,"results":` + list + `}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := newWire(reply(200, body)).client(t, clicknps.WithRawJSON())
			surveys, err := client.SalesOS.NPS.List(t.Context(), nil)
			require.NoError(t, err)
			require.Len(t, surveys.Data, 2)
			assert.Equal(t, "a", surveys.Data[0].ID)
			assert.True(t, surveys.Data[0].IsActive)
			assert.JSONEq(t, `{"id":"b"}`, string(surveys.Data[1].RawJSON))
			responses, err := client.SalesOS.NPS.Responses(t.Context(), "s", nil)
			require.NoError(t, err)
			require.Len(t, responses.Data, 2)
			assert.Equal(t, 9, responses.Data[0].Score)
			assert.JSONEq(t, `{"id":"b"}`, string(responses.Data[1].RawJSON))
			assert.Zero(t, responses.Metrics.Score)
		})
	}
	for _, empty := range []string{`[]`, `{"data":[]}`, `{"items":[],"total":0}`} {
		surveys, err := answering(t, 200, empty).SalesOS.NPS.List(t.Context(), nil)
		require.NoError(t, err)
		assert.Empty(t, surveys.Data)
	}
}

// The metrics stand beside the list, or beside what holds it.
func TestMetricsBesideTheList(t *testing.T) {
	t.Parallel()
	metrics := `"metrics":{"npsScore":"-12.5","promoters":1,"passives":0,"detractors":2,"totalResponses":3,"averageScore":null}`
	for _, body := range []string{
		`{"data":[{"id":"a"}],` + metrics + `}`,
		`{` + metrics + `,"responses":[{"id":"a"}]}`,
		`{"data":{"responses":[{"id":"a"}],` + metrics + `}}`,
		`{"data":{"responses":[{"id":"a"}]},` + metrics + `}`,
		`{"data":{"responses":[{"id":"a"}],` + metrics + `},"metrics":{"npsScore":100}}`,
	} {
		got, err := answering(t, 200, body).SalesOS.NPS.Responses(t.Context(), "s", nil)
		require.NoError(t, err, body)
		assert.JSONEq(t, encode(t, clicknps.NPSMetrics{Score: -12.5, Promoters: 1, Detractors: 2, TotalResponses: 3}), encode(t, got.Metrics), body)
	}
}

// callsForValues are the calls that return something which the answer must hold.
func callsForValues() map[string]func(with) error {
	calls := callsByID("id1")
	maps.Copy(calls, callsWithoutID())
	for _, name := range []string{"Surveys.Delete", "Webhooks.Delete", "NPS.Delete", "NPS.Export"} {
		delete(calls, name)
	}
	return calls
}

func TestAnswersWithoutWhatTheCallIsFor(t *testing.T) {
	t.Parallel()
	bodies := []string{
		"", " \n", "null", "{}", `""`, "0", "true", "<html>login</html>", "\xff\xfe", "\ufeff", `{"id":"a"} x`, `{"id":"a`, `[{"id":"a"}`,
		`[null]`, `[{}]`, `[1]`, `[[]]`, `["a"]`, `{"id":null}`, `{"id":""}`, `{"error":"no"}`, `{"success":false,"data":null}`,
		`{"data":{}}`, `{"data":[null]}`, `{"data":[{}]}`, `{"data":"x"}`, `{"data":[{"id":"a"},null]}x`, `{"data":[{"id":"a"},{"id":""}]`,
		`{"data":{"data":{"data":{}}}}`, `{"links":null}`, `{"links":{"0":"https://a"},"expires_at":"2026-12-22T00:31:48.215Z"}`,
		`{"npsScore":null,"promoters":null,"totalSurveys":null}`, `{"id":{"a":1},"data":7,"links":[]}`, `{"id":[],"npsScore":[],"totalSurveys":{},"data":[[]]}`,
		`{"id":"a","name":{},"url":{},"score":"high","data":[{"id":"a","name":[1],"url":[1],"score":{}}],"npsScore":"high","totalSurveys":"many"}`,
	}
	for name, call := range callsForValues() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, body := range bodies {
				contentType := "application/json"
				if strings.Contains(body, "html") {
					contentType = "text/html"
				}
				client := answering(t, 200, body, "Content-Type", contentType)
				err := call(with{Client: client, ctx: t.Context()})
				require.Error(t, err, "%s", body)
				e := asError(t, err)
				assert.Equal(t, 200, e.StatusCode)
				assert.Equal(t, body, string(e.Body))
				assert.Regexp(t, "the answer can't be decoded: |the list broke off after \\d items: ", err.Error())
				assert.Contains(t, err.Error(), contentType)
				if name == "NPS.Create" || name == "NPS.Toggle" {
					assertIs(t, err, "outcome unknown")
				} else {
					assertIs(t, err)
				}
				assert.Equal(t, keyedCalls[name], e.IdempotencyKey != "")
			}
		})
	}
}

func TestLinksMustAllBeThere(t *testing.T) {
	t.Parallel()
	for score := range 11 {
		link := fmt.Sprintf(`"%d":"https://clicknps.test/r/%032d"`, score, score)
		body := strings.Replace(golden(t, "links_minted.json"), link, fmt.Sprintf(`"%d":null,"all":{"url":"x"}`, score), 1)
		err := callsWithoutID()["Links.Mint"](with{Client: answering(t, 201, body), ctx: t.Context()})
		require.Error(t, err, "score %d", score)
		assert.Contains(t, err.Error(), "is missing")
	}
	body := strings.Replace(golden(t, "links_minted.json"), `"links":{`, `"links":{"all":{"url":"x"},`, 1)
	require.NoError(t, callsWithoutID()["Links.Mint"](with{Client: answering(t, 201, body), ctx: t.Context()}))
}

func TestSuccessWithoutABody(t *testing.T) {
	t.Parallel()
	for name, call := range callsForValues() {
		err := call(with{Client: answering(t, http.StatusNoContent, "", "Content-Type", ""), ctx: t.Context()})
		require.Error(t, err, name)
		assert.Contains(t, err.Error(), "204 No Content")
		assert.Contains(t, err.Error(), "the body is empty")
	}
}

func TestDeleteAnsweredByAPageIsNoSuccess(t *testing.T) {
	t.Parallel()
	for name, call := range callsByID("id1") {
		if !strings.HasSuffix(name, ".Delete") {
			continue
		}
		err := call(with{Client: answering(t, 200, "<html>login</html>", "Content-Type", "Text/HTML; charset=utf-8"), ctx: t.Context()})
		require.Error(t, err, name)
		assert.Equal(t, 200, asError(t, err).StatusCode)
		assert.Contains(t, err.Error(), `text/html "login"`)
		for _, body := range []string{"", "null", `{"deleted":true}`, "OK"} {
			require.NoError(t, call(with{Client: answering(t, 200, body), ctx: t.Context()}), name)
		}
	}
}

// An empty list beside a failure is no empty list, whichever way it is read.
func TestEmptyListOfAFailure(t *testing.T) {
	t.Parallel()
	for _, failure := range []string{`"success":false`, `"statusCode":500`, `"error":{"type":"x"}`, `"error":"no"`} {
		for name, body := range map[string]string{
			"beside": `{"data":[],` + failure + `}`, "before": `{` + failure + `,"data":null}`,
			"around": `{` + failure + `,"data":{"items":[]}}`,
		} {
			c := answering(t, 200, body)
			_, lists := c.Surveys.List(t.Context(), nil)
			_, npsLists := c.SalesOS.NPS.Responses(t.Context(), "s", nil)
			for kind, err := range map[string]error{
				"list": lists, "NPS list": npsLists,
				"walk":     walkError(c.Surveys.All(t.Context(), nil)),
				"NPS walk": walkError(c.SalesOS.NPS.AllResponses(t.Context(), "s", nil)),
			} {
				assert.ErrorContains(t, err, "says that the call failed", "%s %s %s", kind, name, failure)
			}
		}
	}
	c := answering(t, 200, `{"data":[],"success":true,"error":null,"statusCode":200,"deleted":true}`)
	assert.NoError(t, walkError(c.SalesOS.NPS.AllResponses(t.Context(), "s", nil)))
}
