package bench

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-github/v92/github"
	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/stretchr/testify/require"
	"github.com/stripe/stripe-go/v85"
	gitlab "gitlab.com/gitlab-org/api/client-go/v2"

	clicknps "github.com/clicknps/go-sdk"
)

// calls holds the two calls that are measured.
type calls struct {
	page   func(ctx context.Context) (n int, lastName string, err error)
	object func(ctx context.Context) (name string, err error)
}

// libraries holds the clients, configured as their documentation says: only with a credential and a base URL.
var libraries = []struct {
	name  string
	calls func(tb testing.TB, url string) calls
}{
	{"raw", raw},
	{"clicknps", clickNPS},
	{"go-github", goGitHub},
	{"gitlab", gitLab},
	{"stripe-go", stripeGo},
	{"openai-go", openaiGo},
}

type rawSurvey struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Question  string    `json:"question"`
	Status    string    `json:"status"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

type rawPage struct {
	Data       []rawSurvey `json:"data"`
	Pagination struct {
		Total   int  `json:"total"`
		Limit   int  `json:"limit"`
		Offset  int  `json:"offset"`
		HasMore bool `json:"has_more"`
	} `json:"pagination"`
}

// raw makes the calls as a program without an SDK would.
func raw(_ testing.TB, url string) calls {
	get := func(ctx context.Context, url string, into any) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer sk_test_bench")
		req.Header.Set("Accept", "application/json")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			return err
		}
		return json.Unmarshal(body, into)
	}
	return calls{
		page: func(ctx context.Context) (int, string, error) {
			var page rawPage
			err := get(ctx, url+survey.list+"?limit=100", &page)
			return len(page.Data), last(page.Data).Name, err
		},
		object: func(ctx context.Context) (string, error) {
			var one rawSurvey
			err := get(ctx, url+survey.object, &one)
			return one.Name, err
		},
	}
}

func clickNPS(tb testing.TB, url string) calls {
	client, err := clicknps.New(clicknps.WithAPIKey("sk_test_bench"), clicknps.WithBaseURL(url))
	require.NoError(tb, err)
	return calls{
		page: func(ctx context.Context) (int, string, error) {
			page, err := client.Surveys.List(ctx, &clicknps.SurveyListParams{Limit: items})
			if err != nil {
				return 0, "", err
			}
			return len(page.Data), last(page.Data).Name, nil
		},
		object: func(ctx context.Context) (string, error) {
			one, err := client.Surveys.Get(ctx, "survey_000099")
			if err != nil {
				return "", err
			}
			return one.Name, nil
		},
	}
}

func goGitHub(tb testing.TB, url string) calls {
	url += "/"
	client, err := github.NewClient(github.WithAuthToken("ghp_bench"), github.WithURLs(&url, &url))
	require.NoError(tb, err)
	return calls{
		page: func(ctx context.Context) (int, string, error) {
			opts := &github.MilestoneListOptions{ListOptions: github.ListOptions{PerPage: items}}
			page, _, err := client.Issues.ListMilestones(ctx, "acme", "crm", opts)
			return len(page), last(page).GetTitle(), err
		},
		object: func(ctx context.Context) (string, error) {
			one, _, err := client.Issues.GetMilestone(ctx, "acme", "crm", 99)
			return one.GetTitle(), err
		},
	}
}

func gitLab(tb testing.TB, url string) calls {
	client, err := gitlab.NewClient("glpat-bench", gitlab.WithBaseURL(url))
	require.NoError(tb, err)
	return calls{
		page: func(ctx context.Context) (int, string, error) {
			opts := &gitlab.ListMilestonesOptions{ListOptions: gitlab.ListOptions{PerPage: items}}
			page, _, err := client.Milestones.ListMilestones(1, opts, gitlab.WithContext(ctx))
			if err != nil {
				return 0, "", err
			}
			return len(page), last(page).Title, nil
		},
		object: func(ctx context.Context) (string, error) {
			one, _, err := client.Milestones.GetMilestone(1, 99, gitlab.WithContext(ctx))
			if err != nil {
				return "", err
			}
			return one.Title, nil
		},
	}
}

func stripeGo(_ testing.TB, url string) calls {
	backend := stripe.GetBackendWithConfig(stripe.APIBackend, &stripe.BackendConfig{URL: &url})
	client := stripe.NewClient("sk_test_bench", stripe.WithBackends(&stripe.Backends{API: backend}))
	return calls{
		page: func(ctx context.Context) (int, string, error) {
			limit := int64(items)
			params := &stripe.ProductListParams{ListParams: stripe.ListParams{Limit: &limit}}
			page := client.V1Products.List(ctx, params)
			if page.Err() != nil {
				return 0, "", page.Err()
			}
			return len(page.Data()), last(page.Data()).Name, nil
		},
		object: func(ctx context.Context) (string, error) {
			one, err := client.V1Products.Retrieve(ctx, "prod_000099", nil)
			if err != nil {
				return "", err
			}
			return one.Name, nil
		},
	}
}

func openaiGo(_ testing.TB, url string) calls {
	client := openai.NewClient(option.WithAPIKey("sk-bench"), option.WithBaseURL(url))
	return calls{
		page: func(ctx context.Context) (int, string, error) {
			page, err := client.Files.List(ctx, openai.FileListParams{Limit: openai.Int(items)})
			if err != nil {
				return 0, "", err
			}
			return len(page.Data), last(page.Data).Filename, nil
		},
		object: func(ctx context.Context) (string, error) {
			one, err := client.Files.Get(ctx, "file-000099")
			if err != nil {
				return "", err
			}
			return one.Filename, nil
		},
	}
}

// last returns the last item, or the zero value if there is none.
func last[T any](items []T) (item T) {
	if len(items) > 0 {
		item = items[len(items)-1]
	}
	return item
}
