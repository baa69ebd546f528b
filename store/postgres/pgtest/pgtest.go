// Package pgtest runs a PostgreSQL server for tests, from the installed program, on this machine only.
package pgtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Required names the variable that makes an absent server an error instead of a reason to skip.
const Required = "AGO_POSTGRES_REQUIRED"

// Server is a running server that ends with its test.
type Server struct {
	bin  string
	dir  string
	port int
	as   *syscall.Credential // nil: the user of this process
	cmd  *exec.Cmd
	gone chan struct{} // closed when cmd has ended
	made atomic.Int64
}

// Start makes and starts a server that ends with the test, or skips the test if none is installed.
func Start(t testing.TB) *Server {
	t.Helper()
	s, err := Launch()
	if err != nil {
		fail(t, err)
	}
	t.Cleanup(s.Close)
	return s
}

// Shared gives the one server of this process, for tests that only need a database. It ends with the process.
func Shared(t testing.TB) *Server {
	t.Helper()
	s, err := shared()
	if err != nil {
		fail(t, err)
	}
	return s
}

var shared = sync.OnceValues(Launch)

var errAbsent = errors.New("PostgreSQL is not installed: apt-get install postgresql")

func fail(t testing.TB, err error) {
	t.Helper()
	if errors.Is(err, errAbsent) && os.Getenv(Required) == "" {
		t.Skip(err)
	}
	t.Fatal(err)
}

// Launch makes and starts a server for programs that are no tests. It ends with the process at the latest.
func Launch() (*Server, error) {
	bin := find()
	if bin == "" {
		return nil, errAbsent
	}
	s, err := install(bin)
	if err == nil {
		err = s.run()
	}
	return s, err
}

// find gives the folder of the newest installed server.
func find() string {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	slices.SortFunc(found, func(a, b string) int { return version(b) - version(a) })
	if len(found) > 0 {
		return filepath.Dir(found[0])
	}
	if path, err := exec.LookPath("initdb"); err == nil {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(real)
		}
	}
	return ""
}

func version(path string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
	return n
}

func install(bin string) (*Server, error) {
	// Not below t.TempDir: another user has to reach it.
	dir, err := os.MkdirTemp("", "ago-postgres-")
	if err != nil {
		return nil, err
	}
	s := &Server{bin: bin, dir: dir}
	if os.Geteuid() == 0 { // the server refuses to run as root
		u, err := user.Lookup("postgres")
		if err != nil {
			if u, err = user.Lookup("nobody"); err != nil {
				return nil, err
			}
		}
		uid, _ := strconv.ParseUint(u.Uid, 10, 32)
		gid, _ := strconv.ParseUint(u.Gid, 10, 32)
		s.as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		if err := os.Chown(dir, int(uid), int(gid)); err != nil {
			return nil, err
		}
	}
	initdb := s.command("initdb", "-D", s.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions")
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s.port = l.Addr().(*net.TCPAddr).Port
	return s, l.Close()
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, name), args...)
	cmd.Dir = s.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.as, Setpgid: true}
	return cmd
}

// Restart starts the server again, with the data it has, and waits until it answers.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	if err := s.run(); err != nil {
		t.Fatal(err)
	}
}

func (s *Server) run() error {
	deadline := time.Now().Add(time.Minute)
	for {
		out, err := s.try(deadline)
		if err == nil {
			return nil
		}
		// What a killed server leaves in shared memory is there until the last of its processes has noticed.
		if !strings.Contains(out, "shared memory block") || time.Now().After(deadline) {
			return fmt.Errorf("the server does not start: %w\n%s", err, out)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (s *Server) try(deadline time.Time) (log string, err error) {
	var out bytes.Buffer
	cmd := s.command("postgres", "-D", s.data(), "-p", strconv.Itoa(s.port), "-h", "127.0.0.1", "-k", s.dir,
		"-c", "max_connections=300", "-c", "shared_buffers=32MB", "-c", "autovacuum_naptime=5s")
	cmd.Stderr = &out
	if err := cmd.Start(); err != nil {
		return "", err
	}
	gone := make(chan struct{})
	go func() { _ = cmd.Wait(); close(gone) }()
	s.cmd, s.gone = cmd, gone
	if err := s.watch(); err != nil {
		s.Kill()
		return "", err
	}
	for {
		err := s.ping()
		if err == nil {
			return "", nil
		}
		select {
		case <-gone:
			return out.String(), errors.New("it ended")
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			s.Kill()
			return out.String(), err
		}
	}
}

// watch ends the server when this process has ended, however that came.
func (s *Server) watch() error {
	dog := exec.Command("/bin/sh", "-c", `cat; kill -9 "$0" 2>/dev/null; sleep 1; [ -d "$1" ] && rm -rf "$1"`, strconv.Itoa(s.cmd.Process.Pid), s.dir)
	dog.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	line, err := dog.StdinPipe()
	if err != nil {
		return err
	}
	if err := dog.Start(); err != nil {
		return err
	}
	gone := s.gone
	go func() { // a server that ended needs no watching, and its number may be another's
		<-gone
		_ = dog.Process.Kill()
		_ = line.Close()
		_ = dog.Wait()
	}()
	return nil
}

func (s *Server) ping() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.url("postgres"))
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// Kill ends all processes of the server at once, as a failure of its machine does.
func (s *Server) Kill() {
	if s.cmd == nil {
		return
	}
	pid := s.cmd.Process.Pid
	children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	_ = s.cmd.Process.Kill()
	for _, child := range strings.Fields(string(children)) {
		if n, err := strconv.Atoi(child); err == nil {
			_ = syscall.Kill(n, syscall.SIGKILL)
		}
	}
	<-s.gone
	s.cmd = nil
}

// CPU is what the processes of the server have used so far.
func (s *Server) CPU() time.Duration {
	pid := s.cmd.Process.Pid
	children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	var ticks int64
	for i, p := range append([]string{strconv.Itoa(pid)}, strings.Fields(string(children))...) {
		stat, _ := os.ReadFile("/proc/" + p + "/stat")
		_, after, _ := strings.Cut(string(stat), ") ")
		fields := strings.Fields(after) // from the third field of proc(5) on
		if len(fields) < 15 {
			continue
		}
		use := fields[11:13] // utime, stime
		if i == 0 {
			use = fields[11:15] // and those of children that ended
		}
		for _, f := range use {
			n, _ := strconv.ParseInt(f, 10, 64)
			ticks += n
		}
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// Stop ends the server in order: connections are cut, what was written is flushed.
func (s *Server) Stop() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Signal(os.Interrupt)
	select {
	case <-s.gone:
		s.cmd = nil
	case <-time.After(10 * time.Second):
		s.Kill()
	}
}

// Close stops the server and removes its data.
func (s *Server) Close() {
	s.Stop()
	os.RemoveAll(s.dir)
}

// URL is the address of the database that every server has.
func (s *Server) URL() string { return s.url("postgres") }

// Database makes an empty database and gives its address.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("test%d", s.made.Add(1))
	s.Exec(t, s.url("postgres"), "create database "+name+" template template0")
	return s.url(name)
}

// Copy makes a database like another, which nobody may be using, and gives its address.
func (s *Server) Copy(t testing.TB, of string) string {
	t.Helper()
	u, err := url.Parse(of)
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("test%d", s.made.Add(1))
	s.Exec(t, s.url("postgres"), "create database "+name+" template "+strings.TrimPrefix(u.Path, "/"))
	return s.url(name)
}

func (s *Server) url(database string) string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s?sslmode=disable", s.port, database)
}

// Exec runs statements in the database of an address.
func (s *Server) Exec(t testing.TB, url, sql string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// Ask gives the text that a query answers with in the database of an address.
func (s *Server) Ask(t testing.TB, url, sql string) (text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if err := conn.QueryRow(ctx, sql).Scan(&text); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return text
}

// Hold runs a statement in a transaction that ends when free is called.
func (s *Server) Hold(t testing.TB, url, sql string) (free func()) {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	free = sync.OnceFunc(func() { conn.Close(ctx) })
	t.Cleanup(free)
	if _, err := conn.Exec(ctx, "begin; "+sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return free
}

// Waits returns when a statement that contains the text waits for a lock.
func (s *Server) Waits(t testing.TB, url, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	for waiting := 0; waiting == 0; time.Sleep(5 * time.Millisecond) {
		if err := conn.QueryRow(ctx, `select count(*) from pg_stat_activity where wait_event_type = 'Lock' and pid <> pg_backend_pid()
			and datname = current_database() and query like '%' || $1 || '%'`, text).Scan(&waiting); err != nil {
			t.Fatalf("nothing that contains %q waits: %v", text, err)
		}
	}
}
