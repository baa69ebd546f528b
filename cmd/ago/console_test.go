package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ago/localnet"
	"ago/node"
)

// typist sits at a pseudo-terminal with a console on the other side.
type typist struct {
	t      *testing.T
	master *os.File
	slave  *os.File // kept, to look at its settings
	cmd    *exec.Cmd
	mu     sync.Mutex
	screen bytes.Buffer
	read   int // what of the screen was looked at
	ended  chan struct{}
}

// openPTY gives both ends of a new pseudo-terminal.
func openPTY(t *testing.T) (master, slave *os.File) {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // so that Close ends a Read
		t.Fatal(err)
	}
	master = os.NewFile(uintptr(fd), "ptmx")
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: 150}); err != nil {
		t.Fatal(err)
	}
	return master, slave
}

func sit(t *testing.T, env []string, args ...string) *typist {
	t.Helper()
	master, slave := openPTY(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ty := &typist{t: t, master: master, slave: slave, ended: make(chan struct{}), cmd: &exec.Cmd{
		Path: exe, Args: append([]string{"ago"}, args...), Env: append(os.Environ(), env...), Stdin: slave, Stdout: slave, Stderr: slave,
		SysProcAttr: &syscall.SysProcAttr{Setsid: true, Setctty: true},
	}}
	if err := ty.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := master.Read(buf)
			ty.mu.Lock()
			ty.screen.Write(buf[:n])
			ty.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	go func() {
		ty.cmd.Wait()
		close(ty.ended)
	}()
	t.Cleanup(func() {
		ty.cmd.Process.Kill()
		<-ty.ended
		master.Close()
		slave.Close()
	})
	return ty
}

func (ty *typist) keys(s string) {
	ty.t.Helper()
	if _, err := ty.master.WriteString(s); err != nil {
		ty.t.Fatal(err)
	}
}

// sees waits until what was not looked at yet holds a match, and gives its groups.
func (ty *typist) sees(pattern string) []string {
	ty.t.Helper()
	re := regexp.MustCompile(pattern)
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		ty.mu.Lock()
		rest := ty.screen.String()[ty.read:]
		if m := re.FindStringSubmatchIndex(rest); m != nil {
			ty.read += m[1]
			ty.mu.Unlock()
			var groups []string
			for i := 0; i < len(m); i += 2 {
				groups = append(groups, rest[m[i]:m[i+1]])
			}
			return groups
		}
		ty.mu.Unlock()
		if time.Now().After(deadline) {
			ty.t.Fatalf("the screen does not show %s; it shows\n%s", pattern, rest)
		}
	}
}

func consoleNetwork(t *testing.T, modules ...node.Module) []string {
	t.Helper()
	n, err := localnet.Start(context.Background(), localnet.Options{Modules: modules})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	home := t.TempDir()
	env := []string{
		"HOME=" + home, "XDG_CONFIG_HOME=" + home, "XDG_DATA_HOME=" + home, "AGO_NODE=" + n.Addresses().Node, "TERM=xterm-256color",
	}
	for _, m := range modules {
		env = append(env, "AGO_MODULE="+m.ID.String())
	}
	return env
}

func TestTheConsoleAtATerminal(t *testing.T) {
	t.Run("with the built-in process", func(t *testing.T) { talkAtTerminal(t, consoleNetwork(t)) })
	t.Run("with aos 2.0.6", func(t *testing.T) { talkAtTerminal(t, consoleNetwork(t, aosModule(t))) })
}

func talkAtTerminal(t *testing.T, env []string) {

	// A second process that answers.
	dir := t.TempDir()
	answerer := filepath.Join(dir, "answerer.lua")
	if err := os.WriteFile(answerer, []byte("Handlers.add('ping', 'Ping', function(m) m.reply({Data = 'pong for ' .. m.Data}) end)\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	made := ago(t, env, "console", "answerer", "--load", answerer, "--run", "ao.id")
	other := strings.TrimSpace(made)

	ty := sit(t, append(env, "AGO_LOG_LEVEL=error"), "console", "me")
	ty.sees(`made me  \S{43}`)
	ty.sees(`Inbox:`)
	ty.keys("1+1\r")
	ty.sees(`\n2\r\n`)
	// A handler, over three lines.
	ty.keys("Handlers.add('hello', 'Hello', function(m)\r")
	ty.sees(`\.\.\. `)
	ty.keys("greeted = (greeted or 0) + 1\r")
	ty.keys("end)\r")
	ty.sees(`Inbox:`)
	ty.keys("Send({Target = ao.id, Action = 'Hello'})\r")
	ty.sees(`Inbox:`)
	for range 50 { // the message comes in some moments later
		ty.keys("'greeted ' .. tostring(greeted)\r")
		if ty.sees(`\ngreeted (\d+|nil)\r`)[1] == "1" {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	// The other process answers, and the answer shows by itself.
	ty.keys("Send({Target = '" + other + "', Action = 'Ping', Data = 'you'})\r")
	ty.sees(`New Message From .*pong for you`)
	ty.sees(`Inbox:`)
	// Completion of a global, a field, and a handler's name.
	ty.keys("Handl\t")
	ty.sees(`Handlers`)
	ty.keys(".util\t\x03")
	ty.sees(`utils`)
	ty.keys("Handlers.remove('hel\t')\r")
	ty.sees(`hello'\)`)
	// A program that is pasted is taken as it is: its tabs complete nothing.
	ty.keys("\x1b[200~pasted = {\r\ta = 'one',\r}\rfunction two()\r\treturn pasted.a .. ' two'\rend\r\x1b[201~two()\r")
	ty.sees(`\none two\r\n`)
	// An unfinished text is dropped by Ctrl-C.
	ty.keys("x = {\r")
	ty.sees(`\.\.\. `)
	ty.keys("\x03")
	ty.sees(`Inbox:`)
	ty.keys("#Handlers.list > 0\r")
	ty.sees(`\ntrue\r\n`)
	// Errors name the line.
	ty.keys("local a; a.b.c = 1\r")
	ty.sees(`line 1: attempt to index a nil value \(local 'a'\)`)
	ty.keys(".trace\r")
	ty.sees(`first .* slot \d+ evaluated`)
	ty.sees(`delivered .* Ping evaluated`)
	ty.keys(".inbox\r")
	ty.sees(`pong for you`)
	ty.keys(".nonsense\r")
	ty.sees(`there is no command \.nonsense`)
	ty.keys(".exit\r")
	select {
	case <-ty.ended:
	case <-time.After(10 * time.Second):
		t.Fatal("the console does not end")
	}
	if code := ty.cmd.ProcessState.ExitCode(); code != exitDone {
		t.Errorf("exit code %d", code)
	}

	// The next session knows the lines of this one, and the process by its name.
	ty = sit(t, env, "console", "me")
	ty.sees(`opened me`)
	ty.sees(`Inbox:`)
	ty.keys("\x12\x1b[A") // any key that types nothing: the search found the newest line
	ty.sees(`\.exit`)
	ty.keys("\x03")
	ty.keys("Handlers.add\x12\r") // searched, and evaluated
	ty.sees(`Handlers\.add\('hello'`)
	ty.keys("\x03")
	// A future: the answer is the value of the line.
	ty.keys("Send({Target = '" + other + "', Action = 'Ping', Data = 'once more'}).receive().Data\r")
	ty.sees(`(?:\n|\x1b\[K)pong for once more\r\n`)
	ty.keys("\x04")
	<-ty.ended
}

func TestTheConsoleGivesTheTerminalBack(t *testing.T) {
	env := consoleNetwork(t)
	for name, end := range map[string]func(ty *typist){
		"at the end of the input": func(ty *typist) { ty.keys("\x04") },
		"at .exit":                func(ty *typist) { ty.keys(".exit\r") },
		"when it is told to stop": func(ty *typist) { ty.cmd.Process.Signal(syscall.SIGTERM) },
	} {
		t.Run(name, func(t *testing.T) {
			ty := sit(t, env, "console", "back")
			before, err := unix.IoctlGetTermios(int(ty.slave.Fd()), unix.TCGETS)
			if err != nil {
				t.Fatal(err)
			}
			ty.sees(`Inbox:`)
			during, err := unix.IoctlGetTermios(int(ty.slave.Fd()), unix.TCGETS)
			if err != nil {
				t.Fatal(err)
			}
			if during.Lflag&unix.ECHO != 0 {
				t.Error("the terminal echoes by itself")
			}
			end(ty)
			select {
			case <-ty.ended:
			case <-time.After(10 * time.Second):
				t.Fatal("the console does not end")
			}
			after, err := unix.IoctlGetTermios(int(ty.slave.Fd()), unix.TCGETS)
			if err != nil {
				t.Fatal(err)
			}
			if after.Lflag != before.Lflag || after.Iflag != before.Iflag || after.Oflag != before.Oflag {
				t.Errorf("the terminal is %+v, it was %+v", after, before)
			}
		})
	}
}

func TestTheConsoleReloadsWhatIsSaved(t *testing.T) {
	env := consoleNetwork(t)
	file := filepath.Join(t.TempDir(), "v.lua")
	save := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	save("Version = 1 print('version ' .. Version)")
	ty := sit(t, append(env, "NO_COLOR=1"), "console", "w")
	ty.sees(`Inbox:`)
	ty.keys(".watch " + file + "\r")
	ty.sees(`version\s+1\r`)
	ty.sees(`watching`)
	time.Sleep(20 * time.Millisecond) // a later time of the file
	save("Version = 2\nprint('version ' .. Version)")
	ty.sees(`was saved`)
	ty.sees(`version\s+2\r`)
	save("Version = 3\nprint(nothing.x)")
	ty.sees(`v\.lua:2: attempt to index a nil value`)
	ty.sees(`2 \| print\(nothing\.x\)`)
	// A handler of the file fails later, on a message: handler, file and line are told.
	save("Handlers.add('bad', 'Bad', function(m)\n  m.none.x = 1\nend)")
	ty.sees(`was saved`)
	ty.sees(`w@`)
	ty.keys("Send({Target = ao.id, Action = 'Bad'})\r")
	ty.sees(`Bad, handled by "bad", from \S+ failed: \S+v\.lua:2: attempt to index a nil value`)
	ty.sees(`2 \|   m\.none\.x = 1`)
	ty.keys("\x04")
	<-ty.ended
	ty.mu.Lock()
	defer ty.mu.Unlock()
	if strings.Contains(ty.screen.String(), "\x1b[3") {
		t.Error("there are colours in spite of NO_COLOR")
	}
}

// ago runs a command line to its end and gives what it printed.
func ago(t *testing.T, env []string, args ...string) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, exe)
	cmd.Args = append([]string{"ago"}, args...)
	cmd.Env = append(os.Environ(), env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("ago %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return string(out)
}
