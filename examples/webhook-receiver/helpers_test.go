package main

import (
	"bufio"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	secret     = "whsec_def456uvw012"
	programEnv = "BE_THIS_PROGRAM" // set: the test binary is that program instead
)

// programs are those that the test binary can be, so that tests can send them signals.
var programs = map[string]func(){"receiver": main, "crashing receiver": crashingReceiver}

func TestMain(m *testing.M) {
	if program := programs[os.Getenv(programEnv)]; program != nil {
		program()
		return
	}
	os.Exit(m.Run())
}

// process is a program that runs.
type process struct {
	*exec.Cmd
	url   string     // that it has printed
	ended chan error // has the result of Wait in the end
}

// start starts a program with env, and waits until it listens.
func start(t *testing.T, program string, env ...string) *process {
	t.Helper()
	p := &process{
		Cmd:   exec.CommandContext(t.Context(), os.Args[0], "-addr", "127.0.0.1:0"),
		ended: make(chan error, 1),
	}
	env = append(env, programEnv+"="+program, "CLICKNPS_WEBHOOK_SECRET=an_old_one "+secret)
	p.Env = append(os.Environ(), env...)
	p.Stderr = t.Output()
	stdout, err := p.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.Start())
	line, err := bufio.NewReader(stdout).ReadString('\n')
	go func() { p.ended <- p.Wait() }()
	require.NoError(t, err)
	url, found := strings.CutPrefix(strings.TrimSpace(line), "listening at ")
	require.True(t, found, line)
	p.url = url
	return p
}

// startPostgres starts a PostgreSQL of the test's own that listens on a unix socket, and creates
// the tables of schema.sql. It returns the value of DATABASE_URL and a connection pool.
func startPostgres(t *testing.T) (url string, db *pgxpool.Pool) {
	t.Helper()
	dir, err := os.MkdirTemp("", "pg") // not t.TempDir: the path of a socket has at most 107 bytes
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(dir)) })
	var asUser []string
	if os.Getuid() == 0 { // PostgreSQL does not run as root
		require.NoError(t, exec.CommandContext(t.Context(), "chown", "postgres:", dir).Run())
		asUser = []string{"setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"}
	}
	command := func(args ...string) *exec.Cmd {
		args = append(asUser, args...)
		cmd := exec.CommandContext(context.Background(), args[0], args[1:]...)
		cmd.Dir = dir
		return cmd
	}
	data := filepath.Join(dir, "data")
	out, err := command(binary(t, "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-N",
		"--encoding", "UTF8", "--no-locale").CombinedOutput()
	require.NoError(t, err, "%s", out)
	server := command(binary(t, "postgres"), "-D", data, "-k", dir, "-h", "", "-F")
	require.NoError(t, server.Start())
	t.Cleanup(func() {
		_ = server.Process.Signal(os.Interrupt) // ends connections, then the server
		_ = server.Wait()
	})
	url = "postgres://postgres@/postgres?host=" + dir
	db, err = pgxpool.New(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(db.Close)
	await(t, "PostgreSQL is up", func() bool { return db.Ping(t.Context()) == nil })
	schema, err := os.ReadFile("schema.sql")
	require.NoError(t, err)
	execute(t, db, string(schema))
	return url, db
}

// binary returns the path of a program of PostgreSQL. Debian keeps them out of PATH.
func binary(t *testing.T, name string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	require.NoError(t, err)
	require.NotEmpty(t, found, "these tests need PostgreSQL: apt-get install postgresql")
	return slices.Max(found)
}

// startRedis starts a Redis that keeps nothing on disk. It returns the value of REDIS_URL and a client.
func startRedis(t *testing.T) (url string, client *redis.Client) {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	require.NoError(t, err, "these tests need Redis: apt-get install redis-server")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := listener.Addr().(*net.TCPAddr)
	require.NoError(t, listener.Close())
	_, port, err := net.SplitHostPort(addr.String())
	require.NoError(t, err)
	server := exec.CommandContext(t.Context(), path, "--port", port, "--bind", "127.0.0.1", "--save", "",
		"--appendonly", "no", "--dir", t.TempDir())
	require.NoError(t, server.Start())
	t.Cleanup(func() { _ = server.Wait() }) // the context has killed it
	client = redis.NewClient(&redis.Options{Addr: addr.String()})
	t.Cleanup(func() { assert.NoError(t, client.Close()) })
	await(t, "Redis is up", func() bool { return client.Ping(t.Context()).Err() == nil })
	return "redis://" + addr.String(), client
}

func await(t *testing.T, what string, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, 30*time.Second, 5*time.Millisecond, what)
}

func execute(t *testing.T, db *pgxpool.Pool, sql string) {
	t.Helper()
	_, err := db.Exec(t.Context(), sql)
	require.NoError(t, err)
}

// query returns the result of sql.
func query[T any](t *testing.T, db *pgxpool.Pool, sql string, args ...any) []T {
	t.Helper()
	result, err := db.Query(t.Context(), sql, args...)
	require.NoError(t, err)
	items, err := pgx.CollectRows(result, pgx.RowToStructByPos[T])
	require.NoError(t, err)
	return items
}

// row is a row of the table.
type row struct {
	SurveyID, SubjectID string
	Score               *int
	Comment             string
}

// rows returns the table, by survey and subject.
func rows(t *testing.T, db *pgxpool.Pool) []row {
	t.Helper()
	return query[row](t, db, `SELECT survey_id, subject_id, score, comment FROM responses
		ORDER BY survey_id, subject_id`)
}
