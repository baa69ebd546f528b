// Package settings is what an operator may set on a unit: each setting with its names, its default, and where its value came from.
//
// A setting is one field of Settings. Its flag, its key in the settings file, its names in the environment, its page in the
// documentation and what `ago config print` shows all follow from the field, so they cannot disagree.
package settings

import (
	"time"
)

// Unit is a program that settings are for: one unit of the network, or a node, which is all of them.
type Unit string

// The units.
const (
	SU      Unit = "su"
	MU      Unit = "mu"
	CU      Unit = "cu"
	Gateway Unit = "gateway"
	UR      Unit = "ur"
	Node    Unit = "node"
)

// Units are all of them, in the order in which they are documented.
var Units = []Unit{Node, SU, MU, CU, Gateway, UR}

// Settings are the values for one unit; fields that the unit has no use for keep their zero value. Times of zero and sizes
// of zero mean what the help of the setting says.
//
// The tags of a field: flag is the name everywhere; units lists who has it, all if absent; default is its text as an operator
// would write it, default.<unit> that of one unit; legacy lists NAME@unit,unit of the units that came before ago, where a ?
// behind the name means that any value switches it on, and a ! that any value but "false" switches it off.
type Settings struct {
	// Addresses of its own.
	Port      int    `flag:"port" units:"su mu cu gateway ur" default.su:"9000" default.mu:"3005" default.cu:"6363" default.gateway:"4000" default.ur:"3005" legacy:"PORT@su,mu,cu,gateway,ur" help:"Port to answer on; 0 takes a free one."`
	Bundler   int    `flag:"bundler-port" units:"gateway" default:"4001" help:"Port for uploads; 0 takes a free one."`
	PortBase  int    `flag:"port-base" units:"node" default:"0" help:"First of six ports: gateway, bundler, MU, SU, CU, node. 0 is 4000 to 4004 and 8734."`
	Listen    string `flag:"listen" default:"127.0.0.1" help:"Address to listen on: 127.0.0.1 for this machine only, 0.0.0.0 for every network it is on."`
	Name      string `flag:"name" units:"node gateway" help:"Host name in the addresses told to clients; the address listened on if empty."`
	PublicURL string `flag:"public-url" units:"su node" kind:"url" help:"Address of the scheduler as clients reach it, which its Scheduler-Location tells; the one listened on if empty."`

	// Data and keys.
	Data       string `flag:"data" units:"su mu cu gateway node" default:"${home}/${unit}" legacy:"SU_DATA_DIR@su,node" help:"Folder of the data."`
	Memory     bool   `flag:"memory" units:"su mu cu gateway node" help:"Keep everything in memory: it is gone when the unit stops."`
	WalletFile string `flag:"wallet" env:"AGO_NODE_WALLET" units:"su mu cu gateway node" legacy:"WALLET_FILE@cu,node PATH_TO_WALLET@mu,node SU_WALLET_PATH@su,node" help:"File of the wallet (JWK) the unit signs with; without it a key in the data folder, made on first use."`
	WalletText string `flag:"wallet-json" units:"su mu cu gateway node" kind:"secret" legacy:"WALLET@su,mu,cu,gateway,node" help:"The wallet itself as JSON, instead of a file."`
	CoreWallet string `flag:"core-wallet" units:"node" help:"File of an RSA wallet (JWK) that signs AO-Core answers to clients of the first generation and to other nodes, which verify no other signatures. Without it the unit's own key does."`
	NewKey     bool   `flag:"new-key" units:"node" help:"Go on with data that belongs to another key; its processes get no further messages."`

	// The database.
	DBMode             string `flag:"db-mode" units:"su mu cu node" default:"embedded" choices:"embedded remote" legacy:"DB_MODE@su,mu,cu,node" help:"Where the data is kept: embedded in the unit, or in a remote PostgreSQL."`
	DBURL              string `flag:"db-url" units:"su mu cu node" kind:"dburl" legacy:"DATABASE_URL@su,node DB_URL@mu,cu,node" help:"Remote: the address of the database, postgres://. Embedded: a name for the folder of the tables inside the data folder."`
	DBReadURL          string `flag:"db-read-url" units:"su node" kind:"dburl" legacy:"DATABASE_READ_URL@su,node" help:"Remote: the address of a replica that old slots are read from."`
	DBName             string `flag:"db-name" units:"su mu cu node" default:"${unit}" help:"Remote: name of this unit's part of the database. Two units on one database need different ones; one that is started under the name of another takes its place."`
	DBWriteConnections int    `flag:"db-write-connections" units:"su cu node" default:"10" min:"1" legacy:"DB_WRITE_CONNECTIONS@su,node" help:"Remote: most connections that write."`
	DBReadConnections  int    `flag:"db-read-connections" units:"su node" default:"10" min:"1" legacy:"DB_READ_CONNECTIONS@su,node" help:"Remote: most connections that read."`

	// Other units.
	GatewayURL    []string `flag:"gateway-url" units:"su mu cu gateway node" kind:"url" default.mu:"https://arweave.net" default.cu:"https://arweave.net" default.su:"https://arweave.net" legacy:"GATEWAY_URL@su,mu,cu,gateway,node" help:"Gateways for data by id and GraphQL, asked in order."`
	ArweaveURL    []string `flag:"arweave-url" units:"su mu cu node" kind:"url" legacy:"ARWEAVE_URL@su,mu,cu,node ARWEAVE_URL_LIST@su,node" help:"Gateways for data and blocks, if they are others than --gateway-url."`
	GraphqlURL    string   `flag:"graphql-url" units:"su mu cu node" kind:"url" legacy:"GRAPHQL_URL@su,mu,cu,node" help:"GraphQL, if it is not /graphql of --gateway-url."`
	GraphqlURLs   []string `flag:"graphql-urls" units:"cu" kind:"url" legacy:"GRAPHQL_URLS@cu" help:"Further GraphQL addresses, asked when the first does not answer."`
	CheckpointGQL string   `flag:"checkpoint-graphql-url" units:"cu node" kind:"url" legacy:"CHECKPOINT_GRAPHQL_URL@cu,node" help:"GraphQL for the search of checkpoints, if it is another."`
	UploaderURL   string   `flag:"uploader-url" units:"su mu cu node" kind:"url" default.mu:"https://up.arweave.net" legacy:"UPLOADER_URL@mu,cu,node UPLOAD_NODE_URL@su,node" help:"Bundler that gets what is to be on Arweave: scheduled messages (su), messages to wallets (mu), checkpoints (cu). Empty: nothing is uploaded."`
	SchedulerURL  string   `flag:"su-url" units:"mu cu" kind:"url" legacy:"SU_URL@mu,cu" help:"Scheduler of all processes; without it each is found by the tags of the process."`
	RouterURL     string   `flag:"su-router-url" units:"mu" kind:"url" legacy:"SU_ROUTER_URL@mu" help:"Scheduler router that is asked first whether a target is a process, and gets its messages."`
	ComputeURL    string   `flag:"cu-url" units:"mu" kind:"url" default:"http://localhost:6363" legacy:"CU_URL@mu" help:"Compute unit that results come from."`
	RelayNetworks []string `flag:"relay-networks" units:"node" help:"Networks that relay@1.0 may reach beside the public one: loopback, private, or prefixes such as 10.1.0.0/16."`
	DelegateURL   string   `flag:"delegate-url" units:"node" kind:"url" help:"Compute unit that evaluates the processes of delegated-compute@1.0. The node takes its word for what they give."`

	// Logs and numbers.
	LogLevel       string        `flag:"log-level" default:"info" choices:"error warn info http verbose debug silly" legacy:"DEFAULT_LOG_LEVEL@cu,node" help:"Least level that is logged: error, warn, info or debug; http, verbose and silly are debug."`
	LogFormat      string        `flag:"log-format" default:"text" choices:"text json" help:"Log lines as text or json."`
	LogLevelFile   string        `flag:"log-level-file" default:".loglevel" legacy:"LOG_CONFIG_PATH@cu,node" help:"File with the name of a level, which counts at once when it changes; absent or empty, --log-level counts."`
	Metrics        bool          `flag:"metrics" legacy:"ENABLE_METRICS_ENDPOINT?@mu,cu,ur,node ENABLE_METRICS@su,node" help:"Serve /metrics at the unit's address. The node's own address always does."`
	MemoryInterval time.Duration `flag:"memory-log-interval" units:"su mu cu node" legacy:"MEM_MONITOR_INTERVAL@cu,node" help:"How often to log the memory in use; 0: never."`
	Profiling      bool          `flag:"profiling" units:"cu node" help:"Serve profiles of the Go runtime under /debug/pprof/."`

	// Scheduler.
	Mode            string        `flag:"mode" units:"su" default:"su" choices:"su router" legacy:"MODE@su" help:"su schedules; router sends clients to the scheduler of a process, from --scheduler-list."`
	SchedulerList   string        `flag:"scheduler-list" units:"su" legacy:"SCHEDULER_LIST_PATH@su" help:"Router: JSON file of the schedulers."`
	ReadBytes       uint64        `flag:"read-bytes" units:"su node" kind:"bytes" default:"64mb" min:"1" legacy:"MAX_READ_MEMORY@su,node" help:"Bytes after which a page of a log ends early; the client reads on."`
	ProcessCache    int           `flag:"process-cache" units:"su node" default:"4096" min:"1" legacy:"PROCESS_CACHE_SIZE@su,node" help:"Definitions of processes kept in memory."`
	Warmup          time.Duration `flag:"warmup" units:"su" legacy:"WARMUP_DELAY@su" legacyunit:"s" help:"How long after the start messages are refused with 503; 0: not at all."`
	LimitMessages   bool          `flag:"limit-messages" units:"su node" legacy:"ENABLE_MESSAGE_MAX_SIZE@su,node" help:"Refuse messages above --message-bytes."`
	MessageBytes    uint64        `flag:"message-bytes" units:"su node" kind:"bytes" default:"102400" min:"1" legacy:"MAX_MESSAGE_SIZE_BYTES@su,node" help:"Largest message, if they are limited."`
	LargeOwners     []string      `flag:"large-owners" units:"su node" kind:"address" legacy:"MAX_SIZE_OWNER_WHITELIST@su,node" help:"Wallets whose messages are not limited."`
	LargeFrom       []string      `flag:"large-from" units:"su node" kind:"id" legacy:"MAX_SIZE_FROM_WHITELIST@su,node" help:"Processes (From-Process) whose messages are not limited."`
	LargeFromOwners []string      `flag:"large-from-owners" units:"su node" kind:"address" legacy:"MAX_SIZE_FROM_OWNER_WHITELIST@su,node" help:"Owners of sending processes whose messages are not limited."`
	AllowedIPsURL   string        `flag:"allowed-ips-url" units:"su node" kind:"url" legacy:"IP_WHITELIST_URL@su,node" help:"JSON list of the addresses that may post, read every 30 s; an empty list allows all."`
	ProcessesURL    string        `flag:"allowed-processes-url" units:"su mu node" kind:"url" legacy:"PROCESS_WHITELIST_URL@su,mu,node" help:"JSON {\"processes\":{ID:…}}, read every 10 s: only these get messages, and no new ones are made."`
	ProcessRate     int           `flag:"process-rate" units:"su mu node" help:"Messages a second that are taken for one process; 0: any number. Further ones are answered 429."`
	WalletRate      int           `flag:"wallet-rate" units:"su mu node" help:"Messages a second that are taken from one wallet; 0: any number."`
	AddressRate     int           `flag:"address-rate" help:"Requests a second that are answered to one address of the network; 0: any number."`
	RateBurst       int           `flag:"rate-burst" help:"How many may come at once under these rates; 0: what comes in ten seconds."`
	RequestKeys     int           `flag:"request-keys" units:"node" default:"65536" min:"1" help:"Keys and members of lists that an AO-Core request may have."`
	BodyMemory      uint64        `flag:"body-memory" kind:"bytes" default:"1gb" min:"1" help:"Bodies of requests that are in memory at a time, together; further ones are answered 503. One address has half of it at most."`
	RequestMemory   uint64        `flag:"request-memory" units:"node" kind:"bytes" default:"512mb" min:"1" help:"Memory that AO-Core requests take at a time beside their bodies, together; further ones are answered 503. One address has half of it at most."`
	Programs        int           `flag:"programs" units:"node" help:"Programs (lua@5.3a) that requests run outside of processes at a time, half of them from one address; 0: half of the cores, and two at least."`
	ProgramQueue    int           `flag:"program-queue" units:"node" default:"256" min:"1" help:"Calls of such programs that may wait, for ten seconds, half of them from one address; further ones are answered 429."`
	Streams         int           `flag:"streams" units:"node" default:"256" min:"1" help:"Streams of events that are open at a time, half of them at most of one address; further ones are answered 429."`
	UploadBatch     int           `flag:"upload-batch" units:"su node" default:"1" min:"1" help:"Scheduled messages and assignments that are uploaded together, as one bundle; 1: each by itself."`
	UploadBytes     uint64        `flag:"upload-bytes" units:"su node" kind:"bytes" default:"4mb" min:"1" help:"Largest bundle that is made of them."`
	UploadConfirm   time.Duration `flag:"upload-confirm" units:"su node" help:"Time after which the bundler is asked whether it still has what it took, and gets it again if not; 0: it is not asked."`

	Redirects   bool          `flag:"redirects" units:"su" default:"true" help:"Answer 307 for a process of another scheduler whose Scheduler-Location a gateway has; off: 404."`
	LocationTTL time.Duration `flag:"location-ttl" units:"su node" default:"1h" min:"1" help:"How long clients may keep where the scheduler answers: the Time-To-Live of its Scheduler-Location."`
	RouterCheck bool          `flag:"router-check" units:"su" legacy:"ENABLE_ROUTER_CHECK@su" help:"Ask --router-url for each new process whether it is this scheduler's; if not, answer 307 to the one that has it."`
	RouterAsked string        `flag:"router-url" units:"su" kind:"url" legacy:"ROUTER_URL@su" help:"Scheduler router that --router-check asks."`
	Assignment  string        `flag:"assignment" units:"su" legacy:"ASSIGNMENT@su" help:"With --router-check: N if the router's address of this scheduler is https://suN.…; without it --public-url is compared."`

	// Messenger.
	PushWorkers    int           `flag:"push-workers" units:"mu node" default:"64" min:"1" legacy:"MAX_WORKERS@mu,node" help:"Deliveries under way at a time."`
	RetryDelay     time.Duration `flag:"retry-delay" units:"mu node" default:"1s" min:"1" legacy:"TASK_QUEUE_RETRY_DELAY@mu,node" help:"Time before a failed delivery is tried again; it doubles each time."`
	RetryMax       int           `flag:"retry-max" units:"mu node" default:"36" min:"1" legacy:"TASK_QUEUE_MAX_RETRIES@mu,node" help:"Failures in a row after which a delivery is parked, for somebody to send again."`
	ResultDelay    time.Duration `flag:"result-delay" units:"mu" default:"1s" min:"1" legacy:"GET_RESULT_RETRY_DELAY@mu" help:"Time before a result that could not be had is asked for again; it doubles each time, up to a minute."`
	ResultMax      int           `flag:"result-max" units:"mu" legacy:"GET_RESULT_MAX_RETRIES@mu" help:"Failures after which a result is not asked for any more until the next start; 0: never."`
	Traces         bool          `flag:"traces" units:"mu node" default:"true" legacy:"DISABLE_TRACE!@mu,node" help:"Answer where messages went (/trace)."`
	PushRoute      bool          `flag:"push-route" units:"mu" legacy:"ENABLE_PUSH@mu" help:"Take POST /push/{message}/{number}, which has the result of a message pushed."`
	CustomPush     bool          `flag:"custom-push" units:"mu" legacy:"ENABLE_CUSTOM_PUSH@mu" help:"Let /push take the result from the compute unit that --custom-cu-file names for the process."`
	CustomCUFile   string        `flag:"custom-cu-file" units:"mu" default:"custom-cu-map.json" legacy:"CUSTOM_CU_MAP_FILE_PATH@mu" help:"JSON {PROCESS: URL} of the compute units of single processes."`
	PushesAfter    uint64        `flag:"pushes-after" units:"mu" legacy:"ALLOW_PUSHES_AFTER@mu" help:"Oldest block height of a message that /push takes."`
	WalletLimit    int           `flag:"wallet-limit" units:"mu node" legacy:"IP_WALLET_RATE_LIMIT@mu,node" help:"Messages that one wallet at one address may post in --wallet-limit-interval; 0: no limit."`
	WalletInterval time.Duration `flag:"wallet-limit-interval" units:"mu node" default:"1h" min:"1" legacy:"IP_WALLET_RATE_LIMIT_INTERVAL@mu,node" help:"Time that --wallet-limit counts in."`
	WalletLimitURL string        `flag:"wallet-limit-url" units:"mu node" kind:"url" legacy:"RATE_LIMIT_FILE_URL@mu,node" help:"JSON of other limits: {\"addresses\":{},\"ips\":{},\"processes\":{},\"default\":n}, read every 5 minutes."`
	RefusedSenders []string      `flag:"refused-senders" units:"mu node" kind:"id" legacy:"FROM_PROCESS_BLACKLIST@mu,node" help:"From-Process values that are refused."`

	// Compute unit: what it runs.
	MemoryMax    uint64   `flag:"memory-max" units:"cu node" kind:"bytes" default:"16gb" min:"1" legacy:"PROCESS_WASM_MEMORY_MAX_LIMIT@cu,node" help:"Largest Memory-Limit of a process."`
	GasMax       uint64   `flag:"compute-max" units:"cu node" default:"9000000000000" min:"1" legacy:"PROCESS_WASM_COMPUTE_MAX_LIMIT@cu,node" help:"Largest Compute-Limit of a process, in gas of one message."`
	Formats      []string `flag:"formats" units:"cu node" choices:"wasm32-unknown-emscripten wasm32-unknown-emscripten2 wasm32-unknown-emscripten3 wasm32-unknown-emscripten4 wasm64-unknown-emscripten-draft_2024_02_15 wasm32-unknown-emscripten-metering wasm64-unknown-emscripten-draft_2024_10_16-metering lua-5.3-ago.1 lua-5.3-messages-ago.1" legacy:"PROCESS_WASM_SUPPORTED_FORMATS@cu,node" help:"Module-Formats that are run; all that ago knows if empty."`
	Extensions   []string `flag:"extensions" units:"cu node" choices:"WeaveDrive" legacy:"PROCESS_WASM_SUPPORTED_EXTENSIONS@cu,node" help:"Module extensions that are run; all that ago knows if empty."`
	Restrict     []string `flag:"restrict-processes" units:"cu node" kind:"id" legacy:"RESTRICT_PROCESSES@cu,node" help:"Processes that are not evaluated."`
	Allow        []string `flag:"allow-processes" units:"cu node" kind:"id" legacy:"ALLOW_PROCESSES@cu,node" help:"The only processes that are evaluated; empty: all."`
	AllowOwners  []string `flag:"allow-owners" units:"cu node" kind:"address" legacy:"ALLOW_OWNERS@cu,node" help:"Owners whose processes are evaluated; empty: all."`
	UnitMode     string   `flag:"unit-mode" units:"cu" default:"cu" choices:"cu ru" legacy:"UNIT_MODE@cu" help:"cu answers everything, ru dry runs only."`
	VerifySigs   bool     `flag:"verify-signatures" units:"cu" help:"Verify both signatures of every slot; the hash chain always is."`
	HydrationMax uint64   `flag:"hydration-max" units:"cu node" legacy:"HYDRATION_MODE_NONCE_LIMIT@cu,node" help:"Slots a process may be behind what is asked for; further behind, the answer is 503 at once. 0: no limit."`
	PageSize     int      `flag:"page-size" units:"cu" default:"1000" min:"1" legacy:"LOAD_MESSAGES_PAGE_SIZE@cu" help:"Messages asked from a scheduler at once."`
	Modules      []string `flag:"module" env:"AGO_MODULES" units:"node gateway" kind:"module" help:"ID=FILE[,TAG=VALUE…]: a file served as the module of a public id. May be repeated."`

	// Compute unit: how much of the machine it takes.
	Workers       int           `flag:"workers" units:"cu node" legacy:"WASM_EVALUATION_MAX_WORKERS@cu,node" help:"Evaluations at a time; 0: one for each core."`
	PrimaryShare  int           `flag:"primary-share" units:"cu node" default:"0" max:"100" legacy:"WASM_EVALUATION_PRIMARY_WORKERS_PERCENTAGE@cu,node" help:"Percent of the workers that dry runs leave to evaluations; 0: dry runs have places of their own, four for each worker."`
	DryRunQueue   int           `flag:"dry-run-queue" units:"cu node" default:"3000" legacy:"WASM_EVALUATION_WORKERS_DRY_RUN_MAX_QUEUE@cu,node" help:"Dry runs that may wait; further ones are answered 429."`
	ModuleCache   int           `flag:"module-cache" units:"cu" default:"64" min:"1" legacy:"WASM_MODULE_CACHE_MAX_SIZE@cu" help:"Modules whose bytes are kept in memory."`
	InstanceCache int           `flag:"instance-cache" units:"cu node" legacy:"WASM_INSTANCE_CACHE_MAX_SIZE@cu,node" help:"Processes kept live in memory; 0: as many as --live-max holds."`
	LiveMax       uint64        `flag:"live-max" units:"cu node" kind:"bytes" default:"4gb" min:"1" legacy:"PROCESS_MEMORY_CACHE_MAX_SIZE@cu,node" help:"Machine memory for live processes together."`
	LiveTTL       time.Duration `flag:"live-ttl" units:"cu node" default:"24h" legacy:"PROCESS_MEMORY_CACHE_TTL@cu,node" help:"How long a process that nobody uses stays live; 0: for ever."`
	ModulesDir    string        `flag:"cache" units:"cu node" legacy:"WASM_BINARY_FILE_DIRECTORY@cu,node" help:"Folder of compiled modules; without it one in your cache folder."`
	StateDir      string        `flag:"state-dir" units:"cu node" legacy:"PROCESS_MEMORY_CACHE_FILE_DIR@cu,node" help:"Folder of the states of processes that are not live; without it one in the data folder."`
	Busy          time.Duration `flag:"busy-after" units:"cu node" legacy:"BUSY_THRESHOLD@cu,node" help:"Answer 202 when an evaluation takes longer; 0: wait."`
	Patience      time.Duration `flag:"patience" units:"cu node" default:"2s" help:"How long a result waits for a message that has no slot yet (node), or for a process that the gateway does not know yet (cu)."`
	HeadAge       time.Duration `flag:"head-age" units:"cu" default:"100ms" legacy:"DRY_RUN_DEFAULT_MAX_PROCESS_AGE@cu" help:"How long the known end of a log counts before the scheduler is asked again."`
	DryRunLimit   int           `flag:"dry-run-limit" units:"cu node" legacy:"RATE_LIMIT_MAX_REQUESTS@cu,node" help:"Dry runs that one address may ask for in --dry-run-limit-window; 0: no limit."`
	DryRunWindow  time.Duration `flag:"dry-run-limit-window" units:"cu node" default:"1m" min:"1" legacy:"RATE_LIMIT_WINDOW@cu,node" help:"Time that --dry-run-limit counts in."`

	// Checkpoints.
	CheckpointEvery    time.Duration `flag:"checkpoint-interval" units:"cu node" legacy:"PROCESS_MEMORY_CACHE_CHECKPOINT_INTERVAL@cu,node" help:"How often all live processes are checkpointed, besides when evaluation took long; 0: only then."`
	CheckpointThrottle time.Duration `flag:"checkpoint-throttle" units:"cu node" default:"30m" legacy:"PROCESS_CHECKPOINT_CREATION_THROTTLE@cu,node" help:"Least time between two checkpoints of one process that leave this machine's own store."`
	CheckpointGas      uint64        `flag:"checkpoint-gas" units:"cu node" default:"300000000000000" legacy:"EAGER_CHECKPOINT_ACCUMULATED_GAS_THRESHOLD@cu,node" help:"Gas after which a process is checkpointed at once."`
	CheckpointTime     time.Duration `flag:"checkpoint-time" units:"cu node" default:"15m" legacy:"EAGER_CHECKPOINT_EVAL_TIME_THRESHOLD@cu,node" help:"Time of evaluation after which a process is checkpointed at once."`
	CheckpointUpload   bool          `flag:"checkpoint-upload" units:"cu node" legacy:"DISABLE_PROCESS_CHECKPOINT_CREATION!@cu,node" help:"Upload checkpoints to --uploader-url."`
	CheckpointFiles    bool          `flag:"checkpoint-files" units:"cu node" legacy:"DISABLE_PROCESS_FILE_CHECKPOINT_CREATION!@cu,node" help:"Write checkpoints of the whole memory to --checkpoint-dir."`
	CheckpointDir      string        `flag:"checkpoint-dir" units:"cu node" legacy:"PROCESS_MEMORY_FILE_CHECKPOINTS_DIR@cu,node" help:"Folder of whole-memory checkpoints; without it file_checkpoints in the data folder."`
	TrustedOwners      []string      `flag:"checkpoint-owners" units:"cu node" kind:"address" legacy:"PROCESS_CHECKPOINT_TRUSTED_OWNERS@cu,node" help:"Wallets whose checkpoints on Arweave are trusted."`
	PreferredOwners    []string      `flag:"checkpoint-preferred-owners" units:"cu node" kind:"address" legacy:"PROCESS_CHECKPOINT_PREFERRED_OWNERS@cu,node" help:"Wallets among them whose checkpoints are taken first."`
	IgnoreCheckpoints  []string      `flag:"ignore-checkpoints" units:"cu node" kind:"id" legacy:"IGNORE_ARWEAVE_CHECKPOINTS@cu,node" help:"Checkpoints on Arweave that are not used."`
	IgnoreArweaveFor   []string      `flag:"ignore-arweave-checkpoints-of" units:"cu node" kind:"id" legacy:"PROCESS_IGNORE_ARWEAVE_CHECKPOINTS@cu,node" help:"Processes that are not started from checkpoints on Arweave."`
	IgnoreLocal        bool          `flag:"ignore-local-checkpoints" units:"cu node" legacy:"IGNORE_LOCAL_CHECKPOINTS@cu,node" help:"Do not start processes from whole-memory checkpoints in files."`

	// Router.
	RouterUnit    string            `flag:"unit" units:"ur" default:"cu" choices:"cu mu" legacy:"AO_UNIT@ur" help:"Unit whose requests are routed: cu or mu."`
	Hosts         []string          `flag:"hosts" units:"ur" kind:"url" legacy:"HOSTS@ur" help:"The units behind the router. Their order decides who has which process."`
	Strategy      string            `flag:"strategy" units:"ur" default:"proxy" choices:"proxy redirect" legacy:"STRATEGY@ur" help:"proxy hands requests on, redirect answers 307 with the address."`
	LookupURL     string            `flag:"sur-url" units:"ur" kind:"url" legacy:"SUR_URL@ur" help:"Scheduler that knows the owners of processes, for --owner-to-host and --module-to-host."`
	ProcessToHost map[string]string `flag:"process-to-host" units:"ur" legacy:"PROCESS_TO_HOST@ur" help:"JSON {PROCESS: URL}: processes with a unit of their own."`
	OwnerToHost   map[string]string `flag:"owner-to-host" units:"ur" legacy:"OWNER_TO_HOST@ur" help:"JSON {OWNER: URL}: owners whose processes have a unit of their own."`
	ModuleToHost  map[string]string `flag:"module-to-host" units:"ur" legacy:"FROM_MODULE_TO_HOST@ur" help:"JSON {MODULE: URL}: the same by the From-Module of a process."`
	SubrouterURL  string            `flag:"subrouter-url" units:"ur" kind:"url" legacy:"SUBROUTER_URL@ur" help:"Router for the processes of --subrouter-owners."`
	SubOwners     []string          `flag:"subrouter-owners" units:"ur" kind:"address" legacy:"OWNERS@ur" help:"Owners whose processes --subrouter-url has."`

	// Blocks.
	BlockInterval time.Duration `flag:"block-interval" units:"gateway node" default:"2m" min:"1" help:"Time between two blocks of the gateway's own clock."`
}

// Ignored is a variable of the units that came before ago which means nothing to it.
type Ignored struct {
	Name  string
	Units []Unit
	Why   string
}

// IgnoredVariables are accepted, change nothing, and say why in the log of the unit and in `ago config check`.
var IgnoredVariables = []Ignored{
	{"NODE_CONFIG_ENV", []Unit{MU, CU, UR, Node}, "there is one set of defaults, and it is made for production; `ago dev` is for development"},
	{"MODULE_MODE", []Unit{CU, Node}, "modules with large models run without being announced"},
	{"DISABLE_PROCESS_EVALUATION_CACHE", []Unit{CU, Node}, "results are stored always: a result that is forgotten would be pushed again or never"},
	{"DRY_RUN_PROCESS_CACHE_TTL", []Unit{CU, Node}, "dry runs read the live state, no copy that grows old"},
	{"DRY_RUN_RESULT_MAX_AGE", []Unit{CU, Node}, "dry runs are evaluated each time, so none is answered from before a message"},
	{"CHECKPONT_VALIDATION_STEPS", []Unit{CU, Node}, "a checkpoint is taken if a trusted owner signed it and it agrees with its slot; there is no vote among checkpoints"},
	{"CHECKPONT_VALIDATION_THRESH", []Unit{CU, Node}, "see CHECKPONT_VALIDATION_STEPS"},
	{"CHECKPONT_VALIDATION_RETRIES", []Unit{CU, Node}, "see CHECKPONT_VALIDATION_STEPS"},
	{"RATE_LIMIT_CLEANUP_INTERVAL", []Unit{CU, Node}, "counters go with the window they count in"},
	{"ENABLE_MEMORY_RESET", []Unit{CU, Node}, "a state follows from the log alone; a message that throws it away would make it follow from a setting"},
	{"GRAPHQL_URLS", []Unit{Node}, "a node asks the gateways of --gateway-url in their order, each for its GraphQL"},
	{"WASM_MODULE_CACHE_MAX_SIZE", []Unit{Node}, "a node reads modules from its own store; compiled ones are in --cache"},
	{"USE_DISK", []Unit{SU, Node}, "messages are always kept on disk beside the log"},
	{"USE_LOCAL_STORE", []Unit{SU, Node}, "the store is embedded unless --db-mode says remote"},
	{"SU_FILE_DB_DIR", []Unit{SU, Node}, "messages and index are one folder: --data"},
	{"SU_INDEX_DB_DIR", []Unit{SU, Node}, "messages and index are one folder: --data"},
	{"SU_FILE_SYNC_DB_DIR", []Unit{SU, Node}, "copy the data folder while the unit is stopped, or use the backup of the database"},
	{"SU_INDEX_SYNC_DB_DIR", []Unit{SU, Node}, "copy the data folder while the unit is stopped, or use the backup of the database"},
	{"MIGRATION_BATCH_SIZE", []Unit{SU, Node}, "there is no migration between two stores that run side by side"},
	{"ENABLE_PROCESS_ASSIGNMENT", []Unit{SU, Node}, "a process always has slot 0 of its own log"},
	{"ENABLE_DEEP_HASH_CHECKS", []Unit{SU, Node}, "a pushed message is always recognised when it comes again"},
	{"CURRENT_DEEPHASH_VERSION", []Unit{SU, Node}, "there is one version of the hash"},
	{"DEEPHASH_RECALC_LIMIT", []Unit{SU, Node}, "the hash is stored with the message and never computed anew"},
	{"ENABLE_ROUTER_CHECK", []Unit{Node}, "a node is no scheduler behind a router: it has a wallet of its own, and refuses processes that name another"},
	{"ROUTER_URL", []Unit{Node}, "see ENABLE_ROUTER_CHECK"},
	{"ASSIGNMENT", []Unit{Node}, "see ENABLE_ROUTER_CHECK"},
	{"CACHE_URL", []Unit{SU, Node}, "scheduled messages are uploaded to one place, --uploader-url; gateways take them from there"},
	{"URL", []Unit{SU, Node}, "one scheduler has one store; --public-url says where clients reach it"},
	{"MULTI_TENANT_BASE_CONN", []Unit{SU, Node}, "one scheduler has one store"},
	{"MULTI_TENANT_BASE_READ_CONN", []Unit{SU, Node}, "one scheduler has one store"},
	{"MULTI_TENANT_BASE_DATA_DIR", []Unit{SU, Node}, "one scheduler has one store"},
	{"TRACE_DB_URL", []Unit{MU, Node}, "traces follow from the tasks, which are in the data folder"},
	{"SCHEDULED_INTERVAL", []Unit{MU, Node}, "deliveries are made when they are due; nothing is polled"},
	{"PROC_FILE_PATH", []Unit{MU, Node}, "monitors are rows of the store"},
	{"CRON_CURSOR_DIR", []Unit{MU, Node}, "monitors are rows of the store"},
	{"STALE_CURSOR_RANGE", []Unit{MU, Node}, "a monitor goes on where it was, however long ago"},
	{"DUMP_PATH", []Unit{MU, Node}, "profiles are under /debug/pprof/ with --profiling"},
	{"SPAWN_PUSH_ENABLED", []Unit{MU, Node}, "what a new process sends when it boots is always pushed"},
	{"ENABLE_MESSAGE_RECOVERY", []Unit{MU, Node}, "messages are always taken up again after a failure or a restart"},
	{"MESSAGE_RECOVERY_MAX_RETRIES", []Unit{MU, Node}, "messages are taken up again until they are done: see --result-max"},
	{"MESSAGE_RECOVERY_RETRY_DELAY", []Unit{MU, Node}, "see --result-delay, which is for first results and for repeated ones"},
	{"HB_GRAPHQL_URL", []Unit{MU, Node}, "processes are found at --gateway-url and at schedulers"},
	{"HB_ROUTER_URL", []Unit{MU, Node}, "processes are found at --gateway-url and at schedulers"},
	{"ENABLE_HB_WALLET_CHECK", []Unit{MU, Node}, "processes are found at --gateway-url and at schedulers"},
	{"DEBUG", []Unit{MU, UR, Node}, "see --log-level"},
}
